//! `aam catalog fingerprint`: a hash of a catalog's meaning, equal for catalogs that differ only in
//! order and formatting.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::file;
use crate::output::outln;
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The catalog: a file, or `-` for standard input.
    file: PathBuf,
    /// Also prints each stream's fingerprint.
    #[arg(long)]
    streams: bool,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<ExitCode> {
    let catalog = file::read(&arguments.file)?;
    let streams = catalog.streams.iter().filter(|_| arguments.streams);
    let streams = streams.map(|entry| (entry.descriptor(), entry.stream.fingerprint()));
    match format {
        Format::Json => {
            let mut answer = json!({ "fingerprint": catalog.fingerprint() });
            if arguments.streams {
                let streams = streams.map(
                    |(stream, fingerprint)| json!({ "stream": stream, "fingerprint": fingerprint }),
                );
                answer["streams"] = streams.collect();
            }
            output::json(&answer)?;
        }
        Format::Table => {
            outln!("{}", catalog.fingerprint());
            for (stream, fingerprint) in streams {
                outln!("{fingerprint}  {stream}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
