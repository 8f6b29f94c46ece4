//! Two large catalogs read, parsed, compared, classified and planned, beside a pass over the same
//! two documents that only checks that they are JSON.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use catalog::SyncCatalog;
use catalog::plan::{self, Capabilities};
use serde::de::IgnoredAny;

use crate::process::memory;
use crate::table::{Table, megabytes};

/// The middle one of so many runs counts, each in a process of its own.
const RUNS: usize = 5;

pub(crate) fn measure(table: &mut Table, folder: &Path) -> anyhow::Result<()> {
    let (old, new) = (folder.join("old.json"), folder.join("new.json"));
    let size = old.metadata()?.len() + new.metadata()?.len();
    let (skim, _) = middle("skim", &old, &new)?;
    let (plan, peak) = middle("catalogs", &old, &new)?;
    let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
    table.ratio(
        format!(
            "two catalogs, {} together: read, parse, diff, plan",
            megabytes(size)
        ),
        milliseconds(plan),
        format!("IgnoredAny: {}", milliseconds(skim)),
        plan.as_secs_f64() / skim.as_secs_f64(),
    );
    table.ratio(
        "  peak memory",
        megabytes(peak),
        format!("the documents: {}", megabytes(size)),
        peak as f64 / size as f64,
    );
    Ok(())
}

/// The middle time of several processes, and the largest peak.
fn middle(form: &str, old: &Path, new: &Path) -> anyhow::Result<(Duration, u64)> {
    let mut times = Vec::new();
    let mut peak = 0;
    for _ in 0..RUNS {
        let output = Command::new(std::env::current_exe()?)
            .arg(form)
            .args([old, new])
            .output()?;
        anyhow::ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let told = String::from_utf8(output.stdout)?;
        let (micros, bytes) = told.trim().split_once(' ').context("two numbers")?;
        times.push(Duration::from_micros(micros.parse()?));
        peak = peak.max(bytes.parse()?);
    }
    times.sort();
    Ok((times[RUNS / 2], peak))
}

/// Prints microseconds and peak memory.
fn tell(begun: Instant) {
    let micros = begun.elapsed().as_micros();
    let peak = memory(std::process::id(), "VmHWM").unwrap_or_default();
    println!("{micros} {peak}");
}

/// Reads, parses, compares and plans.
pub(crate) fn plan(old: &Path, new: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let parsed = |path: &Path| -> anyhow::Result<SyncCatalog> {
        let text = std::fs::read_to_string(path)?;
        Ok(SyncCatalog::parse(&text)?)
    };
    let (old, new) = (parsed(old)?, parsed(new)?);
    let plan = plan::plan(&old, &new, &Capabilities::default());
    tell(begun);
    anyhow::ensure!(!plan.is_empty(), "the second catalog has no drift");
    Ok(())
}

/// Reads, and checks that it is JSON.
pub(crate) fn skim(old: &Path, new: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    for path in [old, new] {
        let text = std::fs::read(path)?;
        let _: IgnoredAny = serde_json::from_slice(&text)?;
    }
    tell(begun);
    Ok(())
}
