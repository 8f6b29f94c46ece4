//! Background work: operations that a stopped process left, and syncs that the agent requested.
//! Each turn compares the stored state with the actual one, so a restart runs the same code.

use std::time::Duration;

use context::error_chain;
use shared::registry::status::OperationKind;

use super::Error;
use crate::state::State;

/// Interval between polls while a sync waits for a job to end.
const POLL: Duration = Duration::from_millis(500);
/// Interval between polls when idle; a signal shortens it.
const IDLE: Duration = Duration::from_secs(2);

/// Works until the process stops.
pub(crate) async fn run(state: State) {
    let stopping = state.runtime.stopping().clone();
    loop {
        let busy = match turn(&state).await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "worker turn failed; will retry");
                false
            }
        };
        let pause = if busy { POLL } else { IDLE };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            // The signal may mean that a job was started.
            () = state.wake.notified() => state.track_wake.notify_one(),
        }
    }
}

/// Runs one turn; returns whether something is waiting.
async fn turn(state: &State) -> Result<bool, Error> {
    super::operations::turn(state).await?;
    let waiting = state
        .registry
        .operation_waiting(OperationKind::Sync)
        .await?;
    Ok(waiting)
}
