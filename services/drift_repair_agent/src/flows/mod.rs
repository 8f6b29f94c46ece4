//! Orchestrates I/O: steps, retries, rollback.

pub(crate) mod apply;
mod change;
pub(crate) mod heal;
mod observe;
mod pending_drift;
pub(crate) mod plan;
mod recover;
pub(crate) mod rollback;
pub(crate) mod worker;

use std::time::Duration;

use contracts::ErrorCode;
use operations::OnError;
pub(crate) use operations::flow::Error;
use shared::registry;
use shared::registry::entities::connection;
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, OperationKind};
use uuid::Uuid;

use crate::state::State;

/// How long a repair waits for another one of the same connection.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that can be repaired, with its ids in Airbyte.
pub(crate) struct Repairable {
    pub(crate) row: connection::Model,
    pub(crate) source_id: Uuid,
    pub(crate) connection_id: Uuid,
    pub(crate) destination_id: Uuid,
}

/// Returns the connection if its state allows a repair.
pub(crate) async fn repairable(state: &State, id: Uuid) -> Result<Repairable, Error> {
    let row = operations::flow::own_connection(&state.registry, &state.airbyte, id).await?;
    let refuse = |detail: &str| {
        Err(Error::refused(
            ErrorCode::ConnectionNotReady,
            format!("connection {id} {detail}"),
        ))
    };
    match (
        row.airbyte_source_id,
        row.airbyte_connection_id,
        row.destination_id,
    ) {
        (Some(source_id), Some(connection_id), Some(destination_id))
            if row.current_version > 0 && row.status != ConnectionStatus::Pending =>
        {
            Ok(Repairable {
                row,
                source_id,
                connection_id,
                destination_id,
            })
        }
        _ if row.status == ConnectionStatus::Pending => refuse("is still being onboarded"),
        _ => refuse("was never onboarded; onboard it first"),
    }
}

/// Claims the connection for a repair; waits a while for another one to end.
pub(crate) async fn claim(
    state: &State,
    kind: OperationKind,
    connection: Uuid,
    request: &str,
) -> Result<Lease, Error> {
    let new = NewOperation::started(kind, connection, request, &state.owner);
    Ok(operations::begin_when_free(&state.registry, new, PATIENCE).await?)
}

/// Returns the id of the connection's running or pending job, if there is one.
pub(crate) async fn running_job(
    state: &State,
    airbyte_connection: Uuid,
) -> Result<Option<String>, Error> {
    let newest = state.airbyte.job_list_newest(airbyte_connection, 1).await?;
    Ok(newest
        .into_iter()
        .find(|job| !registry::status::JobStatus::from_airbyte(&job.status).is_final())
        .map(|job| job.job_id))
}

/// Rejects a connection that a user deactivated.
pub(crate) fn check_active(target: &Repairable) -> Result<(), Error> {
    if target.row.status == ConnectionStatus::Inactive && !change::is_paused(target) {
        return Err(Error::refused(
            ErrorCode::ConnectionNotReady,
            format!("connection {} is deactivated", target.row.id),
        ));
    }
    Ok(())
}

/// Rejects a connection whose version is not the one that the caller saw.
pub(crate) fn check_version(target: &Repairable, expected: Option<i32>) -> Result<(), Error> {
    let current = target.row.current_version;
    match expected.filter(|expected| *expected != current) {
        None => Ok(()),
        Some(expected) => Err(Error::refused(
            ErrorCode::VersionConflict,
            format!("the connection is at version {current}, not {expected}"),
        )),
    }
}

/// Rejects a connection with a running job; `then` is what the caller can do later.
pub(crate) async fn check_no_running_job(
    state: &State,
    target: &Repairable,
    then: &str,
) -> Result<(), Error> {
    match running_job(state, target.connection_id).await? {
        None => Ok(()),
        Some(job) => Err(Error::refused(
            ErrorCode::JobRunning,
            format!("job {job} is running; {then} after it has ended"),
        )),
    }
}

/// What becomes of an operation after an error. The worker must resume it if the connection is still
/// HEALING, since Airbyte may have the new catalog although it is not stored; if it is FAILED
/// `catalog_uncertain`, since the old one is not restored; and if the registry is unreachable, since
/// the state is unknown.
pub(crate) async fn after_error(state: &State, lease: &Lease) -> OnError {
    let row = operations::flow::connection(&state.registry, lease.connection_id).await;
    let must_resume = row.map_or(true, |row| {
        row.status == ConnectionStatus::Healing
            || row.status_reason.as_deref() == Some(change::UNCERTAIN)
    });
    if must_resume {
        OnError::Resume(Some(heal::LOOK_AGAIN))
    } else {
        OnError::Compensate
    }
}
