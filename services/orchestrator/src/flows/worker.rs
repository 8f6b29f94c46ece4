//! What goes on without a caller: operations that a stopped process left, the syncs the agent asked
//! for. Each turn compares what is stored with what is, so a restart runs the same code.

use std::time::Duration;

use shared::http::problem::chain;
use shared::registry::status::OperationKind;

use super::Error;
use super::requested::{self, RETRY};
use crate::state::State;

/// Between two looks while a sync waits for a job to end.
const POLL: Duration = Duration::from_millis(500);
/// Between two looks when nothing runs; a poke shortens it.
const IDLE: Duration = Duration::from_secs(2);

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
        if let Err(error) = Box::pin(requested::start(state, &operation, &lease)).await {
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
