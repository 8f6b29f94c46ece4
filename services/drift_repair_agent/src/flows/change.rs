//! The only way to change a connection's catalog in Airbyte: record old and new catalog, update,
//! read back, compare, and store the next version; or restore the old catalog.

use std::collections::HashSet;

use airbyte_protocol::StreamDescriptor;
use catalog::plan::RefreshMode;
use catalog::{SyncCatalog, SyncStream};
use context::error_chain;
use contracts::{ErrorCode, Event, SyncRequest};
use operations::destination_streams::{Naming, refuse_taken};
use operations::steps::{heal, rollback};
use operations::{Step, StepOutput, StepRunner};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::airbyte::ConnectionUpdate;
use shared::airbyte::types::ConnectionRead;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, StepStatus};
use shared::registry::versions::{NewVersion, Origin};
use uuid::Uuid;

use super::{Error, Repairable, observe};
use crate::domain::configured;
use crate::state::State;

/// Why a catalog is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// A repair, from a plan or from a catalog that was sent.
    #[default]
    Repair,
    /// A rollback to an earlier version.
    Rollback(i32),
}

impl Purpose {
    fn steps(self) -> (Step, Step) {
        match self {
            Self::Repair => (heal::UPDATE_CONNECTION, heal::COMMIT_VERSION),
            Self::Rollback(_) => (rollback::UPDATE_CONNECTION, rollback::COMMIT_VERSION),
        }
    }

    fn origin(self) -> Origin {
        match self {
            Self::Repair => Origin::Repair,
            Self::Rollback(_) => Origin::Rollback,
        }
    }

    fn event(self, previous_version: i32, new_version: i32) -> Event {
        match self {
            Self::Repair => Event::ConnectionHealed {
                previous_version,
                new_version,
            },
            Self::Rollback(to_version) => Event::ConnectionRolledBack {
                to_version,
                previous_version,
                new_version,
            },
        }
    }
}

/// Why a connection is FAILED if neither the new nor the old catalog could be applied.
pub(crate) const UNCERTAIN: &str = "catalog_uncertain";

/// Why a connection is INACTIVE if its policy stopped it.
pub(crate) const PAUSED: &str = "drift_paused";

/// Recorded before Airbyte is changed: enough for any process to finish or to roll back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// Airbyte's configured catalog before the change.
    pub(crate) previous: Box<RawValue>,
    pub(crate) previous_source_catalog_id: Option<Uuid>,
    /// The next version.
    pub(crate) next: String,
    pub(crate) next_source_catalog_id: Option<Uuid>,
    /// The version that it replaces.
    pub(crate) base_version: i32,
    /// What to refresh afterwards; absent if no sync follows.
    pub(crate) follow_up: Option<Vec<(StreamDescriptor, RefreshMode)>>,
    /// Whether drift had deactivated the connection, so that the update activates it.
    pub(crate) activate: bool,
    #[serde(default)]
    pub(crate) purpose: Purpose,
}

/// A catalog to apply.
pub(crate) struct Next<'a> {
    pub(crate) catalog: &'a SyncCatalog,
    /// The discovered catalog to record as accepted with it; default: unchanged.
    pub(crate) source_catalog_id: Option<Uuid>,
    /// What to refresh afterwards; absent if no sync follows.
    pub(crate) follow_up: Option<Vec<(StreamDescriptor, RefreshMode)>>,
    pub(crate) purpose: Purpose,
}

/// Result of a change.
pub(crate) struct Changed {
    pub(crate) version: i32,
    pub(crate) sync_operation: Option<Uuid>,
}

/// Rejects streams that are new in this connection and whose tables another connection already
/// writes: Airbyte would permit both.
async fn refuse_taken_tables(
    state: &State,
    target: &Repairable,
    before: &ConnectionRead,
    next: &SyncCatalog,
) -> Result<(), Error> {
    let before = observe::configured(before)?;
    let known: HashSet<StreamDescriptor> = before.selected().map(SyncStream::descriptor).collect();
    if next
        .selected()
        .all(|entry| known.contains(&entry.descriptor()))
    {
        return Ok(());
    }
    let Some(workspace) = target.row.workspace_id else {
        return Ok(());
    };
    let all = state.airbyte.connection_list(workspace).await?;
    let (own, others): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|connection| connection.destination_id == target.destination_id)
        .partition(|connection| connection.connection_id == target.connection_id);
    let Some(own) = own.first() else {
        return Ok(());
    };
    let naming = Naming::of(own);
    let written = naming.written(&own.configurations);
    let new = &naming.targets(next) - &written;
    let others = others
        .into_iter()
        .filter(|other| other.status != "deprecated");
    refuse_taken(&new, others, |other| &other.name)
}

/// Applies `next`.
pub(crate) async fn apply(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    before: &ConnectionRead,
    next: Next<'_>,
) -> Result<Changed, Error> {
    refuse_taken_tables(state, target, before, next.catalog).await?;
    let intent = Intent {
        previous: before.sync_catalog.clone(),
        previous_source_catalog_id: before.source_catalog_id,
        next: next.catalog.to_document(),
        next_source_catalog_id: next.source_catalog_id,
        base_version: target.row.current_version,
        follow_up: next.follow_up,
        activate: is_paused(target)
            || (next.source_catalog_id.is_some() && deactivated_by_drift(before, target)),
        purpose: next.purpose,
    };
    let written = serde_json::to_string(&intent)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let run = StepRunner {
        registry: &state.registry,
        lease,
    };
    let act = async {
        state
            .registry
            .connection_set_status(lease, ConnectionStatus::Healing, None, None, None)
            .await?;
        let put = update(state, target.connection_id, next.catalog, &intent).await;
        let Err(error) = put else {
            return Ok(StepOutput::new(()));
        };
        tracing::warn!(
            connection.id = %target.row.id,
            error = %error_chain(&error),
            "failed to apply the new catalog; restoring the old one"
        );
        undo(state, lease, target, &intent).await?;
        Err(error)
    };
    run.step(intent.purpose.steps().0, &written, act).await?;
    commit(state, lease, next.catalog, &intent).await
}

/// Whether the connection's policy stopped it until a person decides.
pub(crate) fn is_paused(target: &Repairable) -> bool {
    target.row.status == ConnectionStatus::Inactive
        && target.row.status_reason.as_deref() == Some(PAUSED)
}

/// Whether drift deactivated the connection; what AAM or a person deactivated stays inactive.
pub(crate) fn deactivated_by_drift(read: &ConnectionRead, target: &Repairable) -> bool {
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
            sync_catalog: Some(&document),
            source_catalog_id: intent.next_source_catalog_id,
            // A breaking change that is still pending stays flagged, and keeps the connection
            // inactive.
            breaking_change: intent.next_source_catalog_id.map(|_| false),
            status: intent.activate.then_some("active"),
            ..ConnectionUpdate::of(connection_id)
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
            "Airbyte accepted the catalog but stored a different one: {}",
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
    let follow_up = intent.follow_up.as_ref().map(|refresh| SyncRequest {
        refresh: refresh.clone(),
    });
    let version = NewVersion {
        origin: intent.purpose.origin(),
        fingerprint: &next.fingerprint(),
        document: &intent.next,
    };
    let run = StepRunner {
        registry: &state.registry,
        lease,
    };
    let event = |number| intent.purpose.event(intent.base_version, number);
    let write = async {
        state
            .registry
            .repair_succeed(
                lease,
                intent.base_version,
                intent.next_source_catalog_id,
                &version,
                follow_up.as_ref(),
                &event,
            )
            .await
            .map_err(Error::from)
    };
    let (version, sync_operation) = run.commit(intent.purpose.steps().1, write).await?;
    tracing::info!(
        connection.id = %lease.connection_id,
        version,
        "catalog version {version} is active"
    );
    Ok(Changed {
        version,
        sync_operation,
    })
}

/// Restores the old catalog. If that fails too, the connection is FAILED, and the worker retries
/// after the lease has expired.
pub(crate) async fn undo(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    intent: &Intent,
) -> Result<(), Error> {
    let put_back = state
        .airbyte
        .connection_update(&ConnectionUpdate {
            sync_catalog: Some(&intent.previous),
            source_catalog_id: intent.previous_source_catalog_id,
            ..ConnectionUpdate::of(target.connection_id)
        })
        .await;
    match put_back {
        Ok(_) => {
            state
                .registry
                .step_end(
                    lease,
                    intent.purpose.steps().0.name,
                    StepStatus::Undone,
                    None,
                    None,
                )
                .await?;
            state
                .registry
                .connection_set_status(lease, ConnectionStatus::Active, None, None, None)
                .await?;
            Ok(())
        }
        Err(error) => {
            tracing::error!(
                connection.id = %target.row.id,
                %error,
                "failed to restore the old catalog; Airbyte may have either catalog"
            );
            let event = Event::ConnectionFailed {
                reason: UNCERTAIN.to_owned(),
            };
            let (failed, reason) = (ConnectionStatus::Failed, Some(UNCERTAIN));
            state
                .registry
                .connection_set_status(lease, failed, reason, None, Some(&event))
                .await?;
            Err(error.into())
        }
    }
}
