//! Figures in columns: what, AAM, beside what, ratio.

/// Rows of figures, printed as they are added and together at the end.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// A figure alone.
    pub(crate) fn figure(&mut self, what: impl Into<String>, value: impl Into<String>) {
        self.add([what.into(), value.into(), String::new(), String::new()]);
    }

    /// A figure beside what it is measured against.
    pub(crate) fn ratio(
        &mut self,
        what: impl Into<String>,
        value: impl Into<String>,
        beside: impl Into<String>,
        ratio: f64,
    ) {
        let ratio = format!("{ratio:.2}");
        self.add([what.into(), value.into(), beside.into(), ratio]);
    }

    /// What was measured is told at once: a later figure may fail.
    fn add(&mut self, row: [String; 4]) {
        eprintln!("{}", row.join("  ").trim_end());
        self.0.push(row);
    }

    /// Prints everything, in columns.
    pub(crate) fn print(&self) {
        let headings = ["figure", "AAM", "beside", "ratio"].map(str::to_owned);
        let all = || std::iter::once(&headings).chain(&self.0);
        let mut widths = [0; 4];
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
    }
}

/// Bytes in megabytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Seconds, to the hundredth.
pub(crate) fn seconds(time: std::time::Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
