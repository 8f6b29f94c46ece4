//! Background work: heals that wait for a job, and repairs whose process stopped.

use std::time::Duration;

use context::error_chain;
use operations::on_behalf;
use shared::registry::status::OperationKind;

use super::{Error, recover};
use crate::state::State;

const PAUSE: Duration = Duration::from_secs(1);

/// Works until the process stops.
pub(crate) async fn run(state: State) {
    let stopping = state.runtime.stopping().clone();
    loop {
        if let Err(error) = turn(&state).await {
            tracing::warn!(error = %error_chain(&error), "worker turn failed; will retry");
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn turn(state: &State) -> Result<(), Error> {
    let kinds = [OperationKind::Heal, OperationKind::Rollback];
    while let Some((operation, lease)) =
        state.registry.operation_claim(&kinds, &state.owner).await?
    {
        let repair = Box::pin(recover::repair(state, &operation, &lease));
        let repaired = on_behalf(&operation, repair).await;
        if let Err(error) = repaired {
            // The lease expires, and the repair is then resumed.
            tracing::warn!(
                operation.id = %operation.id,
                error = %error_chain(&error),
                "failed to resume a repair"
            );
            return Ok(());
        }
    }
    Ok(())
}
