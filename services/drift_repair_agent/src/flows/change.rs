//! The one way a connection's catalog is changed in Airbyte: old and new written down first,
//! updated, read back, compared, and the next version stored; or the old one put back.

use airbyte_protocol::StreamDescriptor;
use catalog::SyncCatalog;
use catalog::plan::RefreshMode;
use contracts::{ErrorCode, SyncRequest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::airbyte::ConnectionUpdate;
use shared::airbyte::types::ConnectionRead;
use shared::http::problem::chain;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, StepStatus};
use shared::registry::versions::{NewVersion, Origin};
use uuid::Uuid;

use super::{Error, Repairable, observe};
use crate::domain::configured;
use crate::state::State;

/// The step, as the registry names it.
pub(crate) const UPDATE: &str = "update_connection";
/// Why a connection is FAILED when neither the new nor the old catalog could be put in force.
pub(crate) const UNCERTAIN: &str = "catalog_uncertain";

/// Why a connection is INACTIVE when its policy stopped it.
pub(crate) const PAUSED: &str = "drift_paused";

/// What is written down before Airbyte is touched: enough for any process to finish or to undo.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// Airbyte's configured catalog before.
    pub(crate) previous: Box<RawValue>,
    pub(crate) previous_source_catalog_id: Option<Uuid>,
    /// The next version.
    pub(crate) next: String,
    pub(crate) next_source_catalog_id: Option<Uuid>,
    /// The version it follows.
    pub(crate) base_version: i32,
    /// What is read again afterwards; absent when no sync follows.
    pub(crate) follow_up: Option<Vec<(StreamDescriptor, RefreshMode)>>,
    /// Whether drift had switched the connection off, so that the update switches it on.
    pub(crate) activate: bool,
}

/// What a change came to.
pub(crate) struct Changed {
    pub(crate) version: i32,
    pub(crate) sync_operation: Option<Uuid>,
}

/// Puts `next` in force.
pub(crate) async fn put(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    before: &ConnectionRead,
    next: &SyncCatalog,
    next_source_catalog_id: Option<Uuid>,
    follow_up: Option<Vec<(StreamDescriptor, RefreshMode)>>,
) -> Result<Changed, Error> {
    let intent = Intent {
        previous: before.sync_catalog.clone(),
        previous_source_catalog_id: before.source_catalog_id,
        next: next.to_document(),
        next_source_catalog_id,
        base_version: target.row.current_version,
        follow_up,
        activate: is_paused(target)
            || (next_source_catalog_id.is_some() && switched_off_by_drift(before, target)),
    };
    let written = serde_json::to_string(&intent)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    state.registry.step_intend(lease, UPDATE, &written).await?;
    state
        .registry
        .connection_set_status(lease, ConnectionStatus::Healing, None, None)
        .await?;
    let put = update(state, target.connection_id, next, &intent).await;
    let error = match put {
        Ok(()) => return commit(state, lease, next, &intent).await,
        Err(error) => error,
    };
    tracing::warn!(connection.id = %target.row.id, error = %chain(&error), "the new catalog did not take; putting the old one back");
    undo(state, lease, target, &intent).await?;
    Err(error)
}

/// Whether the connection's policy stopped it until somebody decides.
pub(crate) fn is_paused(target: &Repairable) -> bool {
    target.row.status == ConnectionStatus::Inactive
        && target.row.status_reason.as_deref() == Some(PAUSED)
}

/// Drift switches a connection off by itself; what AAM or a person switched off stays off.
pub(crate) fn switched_off_by_drift(read: &ConnectionRead, target: &Repairable) -> bool {
    read.status == "inactive"
        && read.breaking_change
        && target.row.status != ConnectionStatus::Inactive
}

async fn update(
    state: &State,
    connection_id: Uuid,
    next: &SyncCatalog,
    intent: &Intent,
) -> Result<(), Error> {
    let document = RawValue::from_string(next.to_config_api())
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    state
        .airbyte
        .connection_update(&ConnectionUpdate {
            connection_id,
            sync_catalog: Some(&document),
            source_catalog_id: intent.next_source_catalog_id,
            // A breaking change that still waits stays flagged, and keeps the connection off.
            breaking_change: intent.next_source_catalog_id.map(|_| false),
            status: intent.activate.then_some("active"),
        })
        .await?;
    let kept = state.airbyte.connection_read(connection_id).await?;
    let differences = configured::differences(next, &observe::configured(&kept)?);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        ErrorCode::AirbyteFailed,
        format!(
            "Airbyte took the catalog and kept another one: {}",
            differences.join("; ")
        ),
    ))
}

/// Stores the version that Airbyte has by now.
pub(crate) async fn commit(
    state: &State,
    lease: &Lease,
    next: &SyncCatalog,
    intent: &Intent,
) -> Result<Changed, Error> {
    state
        .registry
        .step_end(lease, UPDATE, StepStatus::Done, None, None)
        .await?;
    let follow_up = intent.follow_up.as_ref().map(|refresh| SyncRequest {
        refresh: refresh.clone(),
    });
    let version = NewVersion {
        origin: Origin::Repair,
        fingerprint: &next.fingerprint(),
        document: &intent.next,
    };
    let (version, sync_operation) = state
        .registry
        .heal_succeed(
            lease,
            intent.base_version,
            intent.next_source_catalog_id,
            &version,
            follow_up.as_ref(),
        )
        .await?;
    tracing::info!(connection.id = %lease.connection_id, version, "catalog version {version} is in force");
    Ok(Changed {
        version,
        sync_operation,
    })
}

/// Puts the old catalog back. When that fails too the connection is FAILED, and the worker tries
/// again when the lease has run out.
pub(crate) async fn undo(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    intent: &Intent,
) -> Result<(), Error> {
    let put_back = state
        .airbyte
        .connection_update(&ConnectionUpdate {
            connection_id: target.connection_id,
            sync_catalog: Some(&intent.previous),
            source_catalog_id: intent.previous_source_catalog_id,
            breaking_change: None,
            status: None,
        })
        .await;
    match put_back {
        Ok(_) => {
            state
                .registry
                .step_end(lease, UPDATE, StepStatus::Undone, None, None)
                .await?;
            state
                .registry
                .connection_set_status(lease, ConnectionStatus::Active, None, None)
                .await?;
            Ok(())
        }
        Err(error) => {
            tracing::error!(connection.id = %target.row.id, %error, "neither the new nor the old catalog is certain to be in force");
            state
                .registry
                .connection_set_status(lease, ConnectionStatus::Failed, Some(UNCERTAIN), None)
                .await?;
            Err(error.into())
        }
    }
}
