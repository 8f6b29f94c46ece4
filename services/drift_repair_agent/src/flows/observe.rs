//! Reads both sides before planning: the version in the registry, the connection in Airbyte, and
//! what the source offers now.

use catalog::SyncCatalog;
use catalog::destinations::DestinationKind;
use catalog::plan::{self, Basis, Capabilities, Plan};
use catalog::policy::Policy;
use contracts::{DriftPolicy, ErrorCode};
use shared::airbyte::types::{ConnectionRead, destination_modes};
use shared::airbyte::{ActorKind, ErrorKind};
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

/// Airbyte's configured catalog.
pub(crate) fn configured(read: &ConnectionRead) -> Result<SyncCatalog, Error> {
    SyncCatalog::parse(read.sync_catalog.get()).map_err(Error::Catalog)
}

/// Discovers the schema without naming the connection to Airbyte, which would change it.
pub(crate) async fn offer(state: &State, target: &Repairable) -> Result<Offer, Error> {
    let discovered = state
        .airbyte
        .discover(target.source_id)
        .await
        .map_err(|error| match error.kind {
            ErrorKind::Connector { ref message, .. } => {
                Error::refused(ErrorCode::DiscoverFailed, message.clone())
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
            destination: destination_kind(state, target).await?,
            ..Capabilities::default()
        },
    })
}

/// The kind of the connection's destination.
pub(crate) async fn destination_kind(
    state: &State,
    target: &Repairable,
) -> Result<DestinationKind, Error> {
    let response = (state.airbyte).actor_get(ActorKind::Destination, target.destination_id);
    Ok(response.await?.destination_kind())
}

/// The policy that applies to the connection's drift.
pub(crate) fn policy(target: &Repairable) -> Result<Policy, Error> {
    DriftPolicy::from_stored(&target.row.drift_policy)
        .policy()
        .map_err(|faults| registry::Error::Document(faults.to_string()).into())
}

/// The plan from a version to what the source offers, with the connection's policy.
pub(crate) fn plan(
    target: &Repairable,
    current: &SyncCatalog,
    offer: &Offer,
) -> Result<Plan, Error> {
    let connection = target.row.id.to_string();
    let policy = policy(target)?;
    let basis = Basis {
        connection_id: Some(&connection),
        base_version: Some(target.row.current_version),
        policy: Some(&policy),
    };
    Ok(plan::plan_for(
        current,
        &offer.catalog,
        &offer.capabilities,
        &basis,
    ))
}

/// Records a change made in Airbyte itself as a version; returns the current version.
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
        "recording a change that was made in Airbyte"
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
