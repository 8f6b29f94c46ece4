//! `aam catalog`: catalogs looked at without any service.

mod compared;
mod convert;
mod diff;
mod file;
mod fingerprint;
mod plan;

use std::process::ExitCode;

use crate::output::Format;

pub(super) use plan::Chosen;

/// Looks at catalogs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Compares two catalogs and says what each difference means.
    Diff(diff::Arguments),
    /// Plans the way from one catalog to another, and back.
    Plan(plan::Arguments),
    /// Writes a catalog in another notation; what is lost is told on stderr.
    Convert(convert::Arguments),
    /// Prints a hash over what a catalog means: the source drifted if it differs.
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
