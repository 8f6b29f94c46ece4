//! Prints responses and errors.

use std::fmt;
use std::io::{ErrorKind, Write as _};

use catalog::plan::Style;
use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::client::Refused;

/// Prints to standard output, without a line end. See [`write()`].
macro_rules! out {
    ($($argument:tt)*) => {
        $crate::output::write(format_args!($($argument)*))
    };
}

/// Prints a line to standard output. See [`write()`].
macro_rules! outln {
    () => {
        $crate::output::write(format_args!("\n"))
    };
    ($($argument:tt)*) => {
        $crate::output::write(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// Prints a line that nothing depends on: a program that no longer has a reader keeps running.
macro_rules! notice {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($argument)*);
    }};
}

pub(crate) use {notice, out, outln};

/// Writes to standard output. Ends the process, successfully, once nothing reads the output any more:
/// `aam jobs | head` has what it needs.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut output = std::io::stdout();
    match output.write_fmt(text).and_then(|()| output.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            std::process::exit(1);
        }
    }
}

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: the services' responses.
    Json,
}

/// Prints a response as JSON.
pub(crate) fn json(answer: &impl Serialize) -> anyhow::Result<()> {
    outln!("{}", serde_json::to_string_pretty(answer)?);
    Ok(())
}

/// Uses colors if stdout is a terminal and `NO_COLOR` is not set.
pub(crate) fn style() -> Style {
    use std::io::IsTerminal as _;
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !unwanted {
        Style::Coloured
    } else {
        Style::Plain
    }
}

/// Prints rows under their headings.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    outln!("{}", table.trim_fmt());
}

/// A timestamp, to the second.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A size in bytes, in a suitable unit.
pub(crate) fn size(bytes: i64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            let digits = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `1 change`, `2 changes`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Prints an error with its causes, and a service's problem with its field errors.
pub(crate) fn error(error: &anyhow::Error) {
    if let Some(settings::Error::Invalid(faults)) = error.downcast_ref::<settings::Error>() {
        eprintln!(
            "error: {} cannot be used:",
            counted(faults.len(), "setting")
        );
        for fault in faults {
            eprintln!("  {fault}");
        }
        return;
    }
    eprintln!("error: {}", context::error_chain(error.as_ref()));
    if let Some(Refused(problem)) = error.downcast_ref::<Refused>() {
        if problem.errors.len() > 1 {
            for fault in &problem.errors {
                eprintln!("  {}: {}", fault.field, fault.message);
            }
        }
        eprintln!(
            "  code {}, request {}",
            problem.code.as_str(),
            problem.request_id
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_sizes_in_a_suitable_unit() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_250), "1.2 kB");
        assert_eq!(size(14_400_000), "14.4 MB");
        assert_eq!(size(328_000_000), "328 MB");
        assert_eq!(size(2_000_000_000_000), "2.0 TB");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "change"), "1 change");
        assert_eq!(counted(0, "change"), "0 changes");
    }
}
