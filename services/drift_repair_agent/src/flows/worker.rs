//! Background work: heals that wait for a job, and repairs whose process stopped.

use std::time::Duration;

use async_trait::async_trait;
use context::error_chain;
use operations::Resume;
use shared::registry::entities::operation;
use shared::registry::operations::Lease;
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
    operations::resume_all(state, &state.registry, &state.owner).await?;
    Ok(())
}

#[async_trait]
impl Resume for State {
    const KINDS: &'static [OperationKind] = &[OperationKind::Heal, OperationKind::Rollback];

    async fn resume(&self, operation: &operation::Model, lease: &Lease) -> Result<(), Error> {
        recover::repair(self, operation, lease).await
    }
}
