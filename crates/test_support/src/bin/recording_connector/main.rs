//! A connector for tests: a Salesforce-like source, or with `--destination` a destination that
//! writes what it gets to a file.
//!
//! `--record FILE` appends every configuration it receives to a file, one JSON object per line.
//! `--control DIR` names a directory whose files make it misbehave; see `control`.

mod control;
mod destination;
mod source;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use control::Control;
use serde_json::Value;

/// The parsed command line.
#[derive(Default)]
pub(crate) struct Arguments {
    destination: bool,
    record: Option<PathBuf>,
    control: Control,
    out: Option<PathBuf>,
    command: String,
    config: Option<PathBuf>,
    catalog: Option<PathBuf>,
    state: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = parse()?;
    if let (Some(record), Some(config)) = (&arguments.record, &arguments.config) {
        let configuration: Value = serde_json::from_slice(&std::fs::read(config)?)?;
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(record)?;
        writeln!(file, "{configuration}")?;
    }
    if arguments.destination {
        destination::run(&arguments)
    } else {
        source::run(&arguments)
    }
}

fn parse() -> anyhow::Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut path = || {
            let value = words
                .next()
                .with_context(|| format!("{word} needs a value"))?;
            anyhow::Ok(PathBuf::from(value))
        };
        match word.as_str() {
            "--destination" => arguments.destination = true,
            "--record" => arguments.record = Some(path()?),
            "--control" => arguments.control = Control::new(path()?),
            "--out" => arguments.out = Some(path()?),
            "--config" => arguments.config = Some(path()?),
            "--catalog" => arguments.catalog = Some(path()?),
            "--state" => arguments.state = Some(path()?),
            _ if word.starts_with('-') => bail!("unknown argument {word}"),
            _ => arguments.command = word,
        }
    }
    Ok(arguments)
}

/// Writes a message at once.
pub(crate) fn say(message: &Value) {
    let mut stdout = std::io::stdout().lock();
    // The reader may be gone, which does not concern this program.
    let _ = writeln!(stdout, "{message}");
    let _ = stdout.flush();
}
