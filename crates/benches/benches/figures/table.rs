//! Figures in columns: the figure, AAM's value, what it is compared with, the ratio, and the ratio of
//! the stored baseline.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;

/// Names the file with the ratios of a former run.
const BASELINE: &str = "BENCH_BASELINE";
/// `save` replaces the stored ratios by the new ones; `check` fails on a ratio that is worse.
const MODE: &str = "BENCH_MODE";
/// How much larger than the baseline a ratio may be. Runs on a shared machine differ by a tenth.
const TOLERANCE: f64 = 1.25;

/// Rows of figures, printed as they are added and together at the end.
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
    ratios: BTreeMap<String, f64>,
    baseline: BTreeMap<String, f64>,
}

impl Table {
    /// An empty table beside the stored baseline, if there is one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let baseline = match baseline_file() {
            Some(path) if path.exists() => {
                let text = std::fs::read(&path)?;
                serde_json::from_slice(&text)
                    .with_context(|| format!("{} is malformed", path.display()))?
            }
            _ => BTreeMap::new(),
        };
        Ok(Self {
            rows: Vec::new(),
            ratios: BTreeMap::new(),
            baseline,
        })
    }

    /// Adds a figure that is not compared.
    pub(crate) fn figure(&mut self, what: impl Into<String>, value: impl Into<String>) {
        let empty = String::new;
        self.add([what.into(), value.into(), empty(), empty(), empty()]);
    }

    /// Adds a figure beside what it is compared with. `what` identifies it in the baseline.
    pub(crate) fn ratio(
        &mut self,
        what: impl Into<String>,
        value: impl Into<String>,
        beside: impl Into<String>,
        ratio: f64,
    ) {
        let what = what.into();
        let stored = self.baseline.get(&what);
        let stored = stored.map_or_else(String::new, |stored| format!("{stored:.2}"));
        self.ratios.insert(what.clone(), ratio);
        self.add([
            what,
            value.into(),
            beside.into(),
            format!("{ratio:.2}"),
            stored,
        ]);
    }

    /// Prints a row at once: a later figure may fail.
    fn add(&mut self, row: [String; 5]) {
        eprintln!("{}", row.join("  ").trim_end());
        self.rows.push(row);
    }

    /// Prints everything in columns, and saves or checks the ratios as the mode requires.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        let headings = ["figure", "AAM", "beside", "ratio", "baseline"].map(str::to_owned);
        let all = || std::iter::once(&headings).chain(&self.rows);
        let mut widths = [0; 5];
        for row in all() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in all() {
            let cells = row.iter().zip(widths);
            let line: Vec<String> = cells.map(|(cell, w)| format!("{cell:<w$}")).collect();
            println!("{}", line.join("  ").trim_end());
        }
        match std::env::var(MODE).as_deref() {
            Ok("save") => self.save(),
            Ok("check") => self.check(),
            _ => Ok(()),
        }
    }

    /// Figures that this run did not measure keep their ratio.
    fn save(&self) -> anyhow::Result<()> {
        let path = baseline_file().context("BENCH_BASELINE names no file")?;
        let mut all = self.baseline.clone();
        all.extend(
            self.ratios
                .iter()
                .map(|(what, ratio)| (what.clone(), (ratio * 100.0).round() / 100.0)),
        );
        let mut text = serde_json::to_string_pretty(&all)?;
        text.push('\n');
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    fn check(&self) -> anyhow::Result<()> {
        let worse: Vec<String> = self
            .ratios
            .iter()
            .filter_map(|(what, ratio)| {
                let stored = self.baseline.get(what)?;
                (*ratio > stored * TOLERANCE)
                    .then(|| format!("{what}: {ratio:.2}, the baseline is {stored:.2}"))
            })
            .collect();
        anyhow::ensure!(worse.is_empty(), "worse than before: {}", worse.join("; "));
        Ok(())
    }
}

fn baseline_file() -> Option<PathBuf> {
    std::env::var_os(BASELINE).map(PathBuf::from)
}

/// Bytes in megabytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Seconds, to the hundredth.
pub(crate) fn seconds(time: std::time::Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
