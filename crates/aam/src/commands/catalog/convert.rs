//! `aam catalog convert`: converts a catalog to another notation and lists what that notation
//! cannot express.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use catalog::notation::{self, Loss, Notation};

use super::file;
use crate::output::outln;

/// Maximum number of streams named in a line about lost data.
const NAMED: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The catalog: a file, or `-` for standard input. Accepts the output of `discover` and the
    /// responses of Airbyte's APIs for a connection.
    file: PathBuf,
    /// The notation to write.
    #[arg(long, value_enum)]
    to: Written,
    /// The notation of the input; default: detected from its first stream.
    #[arg(long, value_enum)]
    from: Option<Written>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Written {
    /// What a source offers, as `discover` prints it.
    Protocol,
    /// What connectors receive: selected streams and their settings.
    Configured,
    /// The Config API's `syncCatalog`.
    ConfigApi,
    /// The public API's `configurations`: settings without schemas.
    Public,
}

impl From<Written> for Notation {
    fn from(written: Written) -> Self {
        match written {
            Written::Protocol => Self::Protocol,
            Written::Configured => Self::Configured,
            Written::ConfigApi => Self::ConfigApi,
            Written::Public => Self::Public,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let text = file::text(&arguments.file)?;
    let converted = notation::convert(
        &text,
        arguments.from.map(Notation::from),
        arguments.to.into(),
    )
    .with_context(|| file::not_a_catalog(&arguments.file))?;
    outln!("{}", converted.text);
    for line in loss_lines(&converted.lost) {
        eprintln!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for each member that was lost for the same reason, with the streams it was lost from.
fn loss_lines(lost: &[Loss]) -> Vec<String> {
    let mut kinds: Vec<(&Loss, Vec<String>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for loss in lost {
        let place = *places
            .entry((&loss.member, &loss.reason))
            .or_insert_with(|| {
                kinds.push((loss, Vec::new()));
                kinds.len() - 1
            });
        kinds[place]
            .1
            .extend(loss.stream.iter().map(ToString::to_string));
    }
    let line = |(loss, streams): (&Loss, Vec<String>)| {
        let more = streams.len().saturating_sub(NAMED);
        let mut of = streams[..streams.len() - more].join(", ");
        if more > 0 {
            of.push_str(&format!(" and {more} more"));
        }
        let of = if of.is_empty() {
            of
        } else {
            format!(" of {of}")
        };
        format!("lost: {}{of}: {}", loss.member, loss.reason)
    };
    kinds.into_iter().map(line).collect()
}
