//! Deletes a connection: cancels its running job, deletes the Airbyte connection, then the source
//! if AAM created it and nothing else uses it. The destination's data stays.

use std::time::Duration;

use async_trait::async_trait;
use contracts::ErrorCode;
use operations::steps::delete as step;
use operations::{OnError, Operation, StepOutput, StepRunner};
use serde::{Deserialize, Serialize};
use shared::registry;
use shared::registry::entities::{connection, operation};
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, OperationKind};
use uuid::Uuid;

use super::owned_objects::OwnedObjects;
use super::{Error, sync};
use crate::domain::view;
use crate::state::State;

/// How long to wait for a job to stop.
const CANCELLING: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(250);

/// Outcome of a deletion request.
pub(crate) enum Deleted {
    /// It is deleted.
    Now,
    /// The deletion continues in the background as this operation.
    InProgress(Uuid),
}

/// The connection's previous state, restored if Airbyte rejects the deletion.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    status: ConnectionStatus,
    status_reason: Option<String>,
}

/// Deleting a connection, as an operation.
struct Deletion<'a> {
    state: &'a State,
    row: &'a connection::Model,
    before: Before,
}

/// Deletes a connection that is still at `revision`; with `answer_early`, or if Airbyte is
/// unreachable, returns as soon as the operation has started.
pub(crate) async fn run(
    state: State,
    id: Uuid,
    revision: Option<i64>,
    answer_early: bool,
) -> Result<Deleted, Error> {
    let row = state.own_connection(id).await?;
    if row.status == ConnectionStatus::Pending {
        return Err(Error::refused(
            ErrorCode::ConnectionBusy,
            format!(
                "connection {id} is still being onboarded; delete it when the onboarding has ended"
            ),
        ));
    }
    let open = state
        .registry
        .operation_open(id, OperationKind::Delete)
        .await?;
    if let Some(open) = open {
        return Ok(Deleted::InProgress(open.id));
    }
    let before = Before {
        status: row.status,
        status_reason: row.status_reason.clone(),
    };
    let request = serde_json::to_string(&before)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let mut new = NewOperation::started(OperationKind::Delete, id, &request, &state.owner);
    new.workspace_id = row.workspace_id;
    let shown = view::connection(&row, state.airbyte.instance());
    let shown = serde_json::to_value(shown).unwrap_or_default();
    let lease = state.registry.deletion_begin(new, revision, shown).await?;
    let operation = lease.operation_id;
    let runtime = state.runtime.clone();
    let flow = async move {
        let mut deletion = Deletion {
            state: &state,
            row: &row,
            before,
        };
        operations::execute(&state.registry, &lease, &mut deletion).await
    };
    if answer_early {
        runtime.spawn(async move {
            let _ = flow.await;
        });
        return Ok(Deleted::InProgress(operation));
    }
    match flow.await {
        Ok(()) => Ok(Deleted::Now),
        Err(error) if error.is_transient() => Ok(Deleted::InProgress(operation)),
        Err(error) => Err(error),
    }
}

/// Resumes a deletion whose process stopped, or that could not reach Airbyte.
pub(crate) async fn recover(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let row = state.connection(lease.connection_id).await?;
    let before = serde_json::from_str(&operation.request)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let mut deletion = Deletion {
        state,
        row: &row,
        before,
    };
    operations::resume(&state.registry, lease, &mut deletion).await
}

#[async_trait]
impl Operation for Deletion<'_> {
    type Output = ();

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<(), Error> {
        run_steps(self.state, self.row, run).await?;
        tracing::info!(connection.id = %self.row.id, "deleted `{}`", self.row.name);
        Ok(())
    }

    /// A deletion continues when Airbyte responds again.
    async fn on_error(&self, _run: StepRunner<'_>, error: &Error) -> OnError {
        if error.is_transient() {
            OnError::Resume(None)
        } else {
            OnError::Compensate
        }
    }

    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        let Before {
            status,
            status_reason,
        } = &self.before;
        let registry = &self.state.registry;
        let failed = registry.deletion_fail(run.lease, *status, status_reason.as_deref(), reason);
        Ok(failed.await?)
    }
}

async fn run_steps(
    state: &State,
    row: &connection::Model,
    run: StepRunner<'_>,
) -> Result<(), Error> {
    if let Some(connection) = row.airbyte_connection_id {
        let intent = connection.to_string();
        run.step(step::CANCEL_JOB, &intent, cancel(state, connection))
            .await?;
        run.step(step::DELETE_CONNECTION, &intent, async {
            state.airbyte.connection_delete(connection).await?;
            Ok(StepOutput::new(()))
        })
        .await?;
    }
    let intent = row.airbyte_source_id.map(|id| id.to_string());
    run.step(
        step::DELETE_SOURCE,
        &intent.unwrap_or_default(),
        delete_source(state, row),
    )
    .await?;
    run.commit(step::FORGET, async {
        state
            .registry
            .deletion_succeed(run.lease, &row.name)
            .await
            .map_err(Error::from)
    })
    .await
}

/// Cancels the running job and waits until it has stopped, because its last records are still being
/// written.
async fn cancel(state: &State, connection: Uuid) -> Result<StepOutput<()>, Error> {
    let started = tokio::time::Instant::now();
    let mut is_canceled = false;
    loop {
        let newest = match state.airbyte.job_list_newest(connection, 1).await {
            Ok(newest) => newest,
            // The connection is already gone.
            Err(error) if error.is_not_found() => return Ok(StepOutput::new(())),
            Err(error) => return Err(error.into()),
        };
        let Some(job) = newest.into_iter().find(|job| !sync::is_final(job)) else {
            return Ok(StepOutput::new(()));
        };
        if !is_canceled {
            state.airbyte.job_cancel(&job.job_id).await?;
            is_canceled = true;
        } else if started.elapsed() > CANCELLING {
            return Err(Error::refused(
                ErrorCode::JobRunning,
                format!(
                    "job {} does not stop; delete the connection after it has ended",
                    job.job_id
                ),
            ));
        } else {
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn delete_source(state: &State, row: &connection::Model) -> Result<StepOutput<()>, Error> {
    let Some(workspace) = row.workspace_id else {
        return Ok(StepOutput::new(()));
    };
    // The connection is gone by now; also delete what a failed onboarding left behind.
    let left = OwnedObjects {
        workspace,
        connection: row.id,
        name: &row.name,
        keep: None,
    };
    left.remove(state).await?;
    Ok(StepOutput::new(()))
}
