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

use std::pin::Pin;
use std::time::Duration;

use context::error_chain;
use contracts::ErrorCode;
pub(crate) use operations::flow::Error;
use shared::registry::entities::connection;
use shared::registry::lease_renewer::LeaseRenewer;
use shared::registry::operations::{Ending, Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, OperationKind};
use shared::registry::{self, Conflict};
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
    let started = tokio::time::Instant::now();
    loop {
        let new = NewOperation::started(kind, connection, request, &state.owner);
        let begin = state.registry.operation_begin(new);
        match begin.await {
            Ok(lease) => return Ok(lease),
            Err(registry::Error::Conflict(Conflict::OperationInProgress))
                if started.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
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

/// Runs an operation's steps while renewing its lease, and ends it if they fail. Boxed: they are
/// the largest futures.
pub(crate) async fn run_operation<T>(
    state: &State,
    lease: &Lease,
    steps: Pin<Box<dyn Future<Output = Result<T, Error>> + Send + '_>>,
) -> Result<T, Error> {
    let keeper = LeaseRenewer::start(state.registry.clone(), lease.clone());
    let result = steps.await;
    drop(keeper);
    if let Err(error) = &result {
        end_failed(state, lease, error).await;
    }
    result
}

/// Ends a failed operation, unless the worker must resume it: if the connection is still HEALING,
/// Airbyte may have the new catalog although it is not stored; if it is FAILED `catalog_uncertain`,
/// the old one is not restored; and if the registry is unreachable, the state is unknown.
async fn end_failed(state: &State, lease: &Lease, error: &Error) {
    let row = operations::flow::connection(&state.registry, lease.connection_id).await;
    let goes_on = match row {
        Ok(row) => {
            row.status == ConnectionStatus::Healing
                || row.status_reason.as_deref() == Some(change::UNCERTAIN)
        }
        Err(_) => true,
    };
    if goes_on {
        // If that fails too, the lease expires.
        let back = state.registry.operation_release(lease, heal::LOOK_AGAIN);
        if let Err(error) = back.await {
            tracing::debug!(
                operation.id = %lease.operation_id,
                %error,
                "failed to release an operation"
            );
        }
        return;
    }
    let message = error_chain(error);
    let ended = state
        .registry
        .operation_finish(lease, Ending::failed(&message));
    if let Err(error) = ended.await {
        tracing::warn!(operation.id = %lease.operation_id, %error, "failed to end an operation");
    }
}
