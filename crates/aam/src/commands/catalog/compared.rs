//! Two catalogs on their way to a plan.

use std::path::PathBuf;

use anyhow::Context as _;
use catalog::SyncCatalog;
use catalog::destinations::DestinationKind;
use catalog::plan::Capabilities;

use super::file;

#[derive(Debug, clap::Args)]
pub(super) struct Compared {
    /// The catalog before: a file in any notation, as `discover` prints it for instance.
    old: PathBuf,
    /// The catalog now.
    new: PathBuf,
    /// The configured catalog; default: every stream of OLD is selected.
    #[arg(long)]
    configured: Option<PathBuf>,
    /// What is written into: postgres, sqlite, parquet, duckdb, snowflake, bigquery or redshift;
    /// default: a careful guess.
    #[arg(long, value_name = "KIND")]
    destination: Option<String>,
}

/// The same, read.
pub(super) struct Catalogs {
    pub(super) old: SyncCatalog,
    pub(super) new: SyncCatalog,
    pub(super) configured: SyncCatalog,
    /// The old catalog with each stream's configuration.
    pub(super) current: SyncCatalog,
    pub(super) capabilities: Capabilities,
}

impl Compared {
    pub(super) fn read(&self) -> anyhow::Result<Catalogs> {
        let old = file::read(&self.old)?;
        let new = file::read(&self.new)?;
        let configured = match &self.configured {
            Some(path) => file::read(path)?.with_all_selected(),
            None => old.clone().with_all_selected(),
        };
        let destination = match &self.destination {
            Some(word) => word.parse::<DestinationKind>().context("--destination")?,
            None => DestinationKind::default(),
        };
        Ok(Catalogs {
            current: configure(old.clone(), &configured),
            old,
            new,
            configured,
            capabilities: Capabilities {
                destination,
                ..Capabilities::default()
            },
        })
    }
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
