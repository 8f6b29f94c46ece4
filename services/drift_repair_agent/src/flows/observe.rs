//! Looking at both sides before anything is planned: the version in the registry, the connection in
//! Airbyte, and what the source offers now.

use catalog::SyncCatalog;
use catalog::plan::Capabilities;
use contracts::ErrorCode;
use shared::airbyte::ErrorKind;
use shared::airbyte::types::{ConnectionRead, destination_modes};
use shared::registry;
use shared::registry::operations::Lease;
use shared::registry::versions::{NewVersion, Origin};
use uuid::Uuid;

use super::{Error, Repairable};
use crate::domain::configured;
use crate::state::State;

/// What the source offers now.
pub(crate) struct Offer {
    pub(crate) catalog: SyncCatalog,
    pub(crate) catalog_id: Option<Uuid>,
    pub(crate) capabilities: Capabilities,
}

/// The connection's current version.
pub(crate) async fn version(state: &State, target: &Repairable) -> Result<SyncCatalog, Error> {
    let number = target.row.current_version;
    let version = state
        .registry
        .version_get(target.row.id, number)
        .await?
        .ok_or_else(|| {
            registry::Error::Document(format!("version {number} of {} is missing", target.row.id))
        })?;
    SyncCatalog::parse(&version.document)
        .map_err(|faults| registry::Error::Document(faults.to_string()).into())
}

/// What Airbyte has configured.
pub(crate) fn configured(read: &ConnectionRead) -> Result<SyncCatalog, Error> {
    SyncCatalog::parse(read.sync_catalog.get()).map_err(Error::Catalog)
}

/// Discovers anew, without telling Airbyte which connection it is for: that would change it.
pub(crate) async fn offer(state: &State, target: &Repairable) -> Result<Offer, Error> {
    let discovered = state
        .airbyte
        .discover(target.source_id)
        .await
        .map_err(|error| match error.kind {
            ErrorKind::Connector { ref said, .. } => {
                Error::refused(ErrorCode::DiscoverFailed, said.clone())
            }
            _ => error.into(),
        })?;
    let catalog = SyncCatalog::parse(&discovered.catalog).map_err(Error::Catalog)?;
    let streams = state
        .airbyte
        .stream_list(target.source_id, target.destination_id)
        .await?;
    Ok(Offer {
        catalog,
        catalog_id: discovered.catalog_id,
        capabilities: Capabilities {
            destination_sync_modes: destination_modes(&streams),
        },
    })
}

/// Records as a version what somebody changed in Airbyte itself; returns the version in force.
pub(crate) async fn record_outside_change(
    state: &State,
    lease: &Lease,
    target: &mut Repairable,
    version: SyncCatalog,
    read: &ConnectionRead,
) -> Result<SyncCatalog, Error> {
    let configured = configured(read)?;
    let differences = configured::differences(&version, &configured);
    if differences.is_empty() {
        return Ok(version);
    }
    let outside = configured::overlaid(&version, &configured);
    tracing::info!(
        connection.id = %target.row.id,
        differences = differences.join("; "),
        "recording a change that was made in Airbyte itself"
    );
    let document = outside.to_document();
    target.row.current_version = state
        .registry
        .version_commit(
            lease,
            target.row.current_version,
            target.row.status,
            None,
            &NewVersion {
                origin: Origin::External,
                fingerprint: &outside.fingerprint(),
                document: &document,
            },
        )
        .await?;
    Ok(outside)
}
