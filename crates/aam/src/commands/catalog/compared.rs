//! The two catalogs that a plan is computed from.

use std::path::PathBuf;

use anyhow::Context as _;
use catalog::SyncCatalog;
use catalog::destinations::DestinationKind;
use catalog::plan::Capabilities;

use super::file;

#[derive(Debug, clap::Args)]
pub(super) struct Compared {
    /// The old catalog: a file in any notation, for example the output of `discover`.
    old: PathBuf,
    /// The new catalog.
    new: PathBuf,
    /// The configured catalog; default: all streams of OLD are selected.
    #[arg(long)]
    configured: Option<PathBuf>,
    /// The destination: postgres, sqlite, parquet, duckdb, snowflake, bigquery or redshift;
    /// default: a conservative guess.
    #[arg(long, value_name = "KIND")]
    destination: Option<String>,
}

/// The parsed catalogs.
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

/// Returns the old catalog with each stream's configuration; streams that are not configured are
/// unselected.
fn configure(mut old: SyncCatalog, configured: &SyncCatalog) -> SyncCatalog {
    for entry in &mut old.streams {
        match configured.stream(&entry.descriptor()) {
            Some(known) => entry.config = known.config.clone(),
            None => entry.config.selected = false,
        }
    }
    old
}
