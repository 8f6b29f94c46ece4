//! `aam catalog diff`: two catalogs compared, without any service.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use catalog::SyncCatalog;
use catalog::plan::{self, Capabilities};

use crate::output;

/// Looks at catalogs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Compares two catalogs; exit code 0 when they are equal, 1 when not, 2 on trouble.
    Diff(DiffArguments),
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

pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Diff(arguments) = command;
    let old = read(&arguments.old)?;
    let new = read(&arguments.new)?;
    let configured = match &arguments.configured {
        Some(path) => read(path)?.with_all_selected(),
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

fn read(path: &Path) -> anyhow::Result<SyncCatalog> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    // What `discover` prints is the catalog in its envelope, among other lines.
    let envelope = text.lines().find_map(|line| {
        let message: airbyte_protocol::Message = serde_json::from_str(line).ok()?;
        serde_json::to_string(&message.catalog?).ok()
    });
    SyncCatalog::parse(envelope.as_deref().unwrap_or(&text))
        .with_context(|| format!("{} is not a catalog", path.display()))
}
