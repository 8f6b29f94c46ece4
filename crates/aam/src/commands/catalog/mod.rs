//! `aam catalog`: catalogs looked at without any service. `diff` compares two.

mod convert;
mod file;
mod fingerprint;

use std::path::PathBuf;
use std::process::ExitCode;

use catalog::SyncCatalog;
use catalog::plan::{self, Capabilities};

use crate::output::{self, Format};

/// Looks at catalogs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Compares two catalogs; exit code 0 when they are equal, 1 when not, 2 on trouble.
    Diff(DiffArguments),
    /// Writes a catalog in another notation; what is lost is told on stderr.
    Convert(convert::Arguments),
    /// Prints a hash over what a catalog means: the source drifted if it differs.
    Fingerprint(fingerprint::Arguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiffArguments {
    /// The catalog before: a file in the protocol's notation, as `discover` prints it.
    old: PathBuf,
    /// The catalog now.
    new: PathBuf,
    /// The configured catalog; default: every stream of OLD is selected.
    #[arg(long)]
    configured: Option<PathBuf>,
    /// How it is told: in words, as AAM's plan, or as Airbyte's Config API tells it.
    #[arg(long, value_enum, default_value_t)]
    format: DiffFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum DiffFormat {
    /// The plan in words.
    #[default]
    Text,
    /// The plan as JSON.
    Json,
    /// Airbyte's `CatalogDiff` as JSON.
    Airbyte,
}

pub(crate) fn run(command: Command, format: Format) -> anyhow::Result<ExitCode> {
    match command {
        Command::Diff(arguments) => diff(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Fingerprint(arguments) => fingerprint::run(&arguments, format),
    }
}

fn diff(arguments: &DiffArguments) -> anyhow::Result<ExitCode> {
    let old = file::read(&arguments.old)?;
    let new = file::read(&arguments.new)?;
    let configured = match &arguments.configured {
        Some(path) => file::read(path)?.with_all_selected(),
        None => old.clone().with_all_selected(),
    };
    let current = configure(old.clone(), &configured);
    let equal = match arguments.format {
        DiffFormat::Airbyte => {
            let diff = catalog::diff::airbyte(&old, &new, &configured);
            output::json(&diff)?;
            diff.is_empty()
        }
        DiffFormat::Json => {
            let plan = plan::plan(&current, &new, &Capabilities::default());
            output::json(&plan)?;
            plan.is_empty()
        }
        DiffFormat::Text => {
            let plan = plan::plan(&current, &new, &Capabilities::default());
            print!("{}", plan.to_text());
            plan.is_empty()
        }
    };
    Ok(if equal {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The old catalog with each stream's configuration, streams that are not configured unselected.
fn configure(mut old: SyncCatalog, configured: &SyncCatalog) -> SyncCatalog {
    for entry in &mut old.streams {
        match configured.stream(&entry.descriptor()) {
            Some(known) => entry.config = known.config.clone(),
            None => entry.config.selected = false,
        }
    }
    old
}
