//! What goes on without a caller: operations that a stopped process left, the syncs the agent asked
//! for. Each turn compares what is stored with what is, so a restart runs the same code.

use std::time::Duration;

use contracts::SyncRequest;
use shared::airbyte::{self, ErrorKind, RefreshMode};
use shared::http::problem::chain;
use shared::registry::entities::operation;
use shared::registry::jobs::StartedBy;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::OperationKind;

use super::{Error, sync};
use crate::state::State;

/// Between two looks while a sync waits for a job to end.
const POLL: Duration = Duration::from_millis(500);
/// Between two looks when nothing runs; a poke shortens it.
const IDLE: Duration = Duration::from_secs(2);
/// How often a sync the agent asked for is tried again while something else runs.
const RETRY: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// Works until the process stops.
pub(crate) async fn run(state: State) {
    let stopping = state.runtime.stopping().clone();
    loop {
        let busy = match turn(&state).await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a turn of the worker failed; it is tried again");
                false
            }
        };
        let pause = if busy { POLL } else { IDLE };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            // What poked may have started a job.
            () = state.wake.notified() => state.track_wake.notify_one(),
        }
    }
}

/// One look at everything; tells whether something waits.
async fn turn(state: &State) -> Result<bool, Error> {
    super::operations::turn(state).await?;
    while let Some((operation, lease)) = state
        .registry
        .operation_take(&[OperationKind::Sync], &state.owner)
        .await?
    {
        if let Err(error) = start_requested(state, &operation, &lease).await {
            tracing::warn!(connection.id = %lease.connection_id, error = %chain(&error), "could not start a sync; it is tried again");
            state.registry.operation_hand_back(&lease, RETRY).await?;
            break;
        }
    }
    let waiting = state
        .registry
        .operation_waiting(OperationKind::Sync)
        .await?;
    Ok(waiting)
}

/// Starts what the agent asked for: refreshes by mode, one after the other, else a plain sync.
async fn start_requested(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let row = state.connection(operation.connection_id).await?;
    let connection = match sync::ready(&row) {
        Ok(connection) => connection,
        Err(error) => {
            let said = chain(&error);
            state
                .registry
                .operation_finish(lease, Ending::failed(&said))
                .await?;
            return Ok(());
        }
    };
    let newest = state.airbyte.job_list_newest(connection, 1).await?;
    if newest.first().is_some_and(|job| !sync::is_final(job)) {
        state.registry.operation_hand_back(lease, RETRY).await?;
        return Ok(());
    }
    let mut request: SyncRequest = serde_json::from_str(&operation.request)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let next_mode = request.refresh.first().map(|(_, mode)| *mode);
    let Some(mode) = next_mode else {
        let started = sync::start(state.clone(), row.id).await?;
        finish(state, lease, &started.job_id).await?;
        return Ok(());
    };
    // One refresh job takes one mode; the streams of the other wait for the next turn.
    let (now_streams, later): (Vec<_>, Vec<_>) = request
        .refresh
        .into_iter()
        .partition(|(_, other)| *other == mode);
    let streams: Vec<_> = now_streams.into_iter().map(|(stream, _)| stream).collect();
    let airbyte_mode = match mode {
        catalog::plan::RefreshMode::Merge => RefreshMode::Merge,
        catalog::plan::RefreshMode::Truncate => RefreshMode::Truncate,
    };
    let started = match state
        .airbyte
        .connection_refresh(connection, airbyte_mode, &streams)
        .await
    {
        Err(airbyte::Error {
            kind: ErrorKind::Conflict { .. },
            ..
        }) => {
            state.registry.operation_hand_back(lease, RETRY).await?;
            return Ok(());
        }
        result => result?,
    };
    let job_id = match started {
        Some(job_id) => {
            let job = state.airbyte.job_get(&job_id).await?;
            sync::record(state, row.id, &job, Some(StartedBy::Aam)).await?;
            tracing::info!(connection.id = %row.id, job.id = %job_id, "started refresh job {job_id}");
            job_id
        }
        // The destination cannot refresh: the new columns fill from now on.
        None => sync::start(state.clone(), row.id).await?.job_id,
    };
    request = SyncRequest { refresh: later };
    if request.refresh.is_empty() {
        finish(state, lease, &job_id).await?;
    } else {
        let rest = serde_json::to_string(&request).unwrap_or_default();
        state.registry.operation_set_request(lease, &rest).await?;
        state.registry.operation_hand_back(lease, RETRY).await?;
    }
    Ok(())
}

async fn finish(state: &State, lease: &Lease, job_id: &str) -> Result<(), Error> {
    let result = serde_json::json!({ "job_id": job_id }).to_string();
    state
        .registry
        .operation_finish(lease, Ending::succeeded(Some(&result)))
        .await?;
    Ok(())
}
