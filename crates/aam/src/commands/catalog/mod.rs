//! `aam catalog`: works on catalogs without any service.

mod compared;
mod convert;
mod diff;
mod file;
mod fingerprint;
mod plan;

use std::process::ExitCode;

use crate::output::Format;

pub(super) use plan::Chosen;

/// Compares, plans, converts and fingerprints catalogs offline.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Compares two catalogs and explains each difference.
    Diff(diff::Arguments),
    /// Plans the changes from one catalog to another, and back.
    Plan(plan::Arguments),
    /// Converts a catalog to another notation; lists on stderr what is lost.
    Convert(convert::Arguments),
    /// Prints a hash of a catalog's meaning; a different hash means that the source drifted.
    Fingerprint(fingerprint::Arguments),
}

pub(crate) fn run(command: Command, format: Format) -> anyhow::Result<ExitCode> {
    match command {
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments, format),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Fingerprint(arguments) => fingerprint::run(&arguments, format),
    }
}
