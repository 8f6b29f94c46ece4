//! Resumes a repair whose process stopped: observes what Airbyte has, then finishes or rolls back.

use std::time::Duration;

use async_trait::async_trait;
use catalog::SyncCatalog;
use contracts::HealRequest;
use operations::steps::{heal as heal_step, rollback};
use operations::{OnError, Operation, StepRunner};
use shared::registry::entities::operation;
use shared::registry::now;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::{ConnectionStatus, OperationKind, StepStatus};

use super::change::{self, Intent};
use super::{Error, Repairable, apply, heal, observe, repairable};
use crate::domain::configured;
use crate::state::State;

/// How long a heal may wait for a job to end.
const WAIT_MAX: chrono::TimeDelta = chrono::TimeDelta::minutes(30);

/// The steps that change a catalog in Airbyte.
const UPDATES: [&str; 2] = [
    heal_step::UPDATE_CONNECTION.name,
    rollback::UPDATE_CONNECTION.name,
];

/// Completes a repair.
pub(crate) async fn repair(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let target = repairable(state, operation.connection_id).await?;
    let steps = state.registry.step_list(operation.id).await?;
    let intended = steps
        .iter()
        .rfind(|started| {
            // Only a restored catalog certainly left nothing behind.
            UPDATES.contains(&started.step.as_str()) && started.status != StepStatus::Undone
        })
        .and_then(|step| step.intent.as_deref());
    let Some(intended) = intended else {
        return untouched(state, operation, lease, &target.row.status).await;
    };
    let intent: Intent = serde_json::from_str(intended)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let next = SyncCatalog::parse(&intent.next)
        .map_err(|faults| shared::registry::Error::Document(faults.to_string()))?;
    let mut interrupted = Interrupted {
        state,
        target,
        intent,
        next,
    };
    operations::resume(&state.registry, lease, &mut interrupted).await
}

/// A change of the catalog that may have reached Airbyte before its process stopped.
struct Interrupted<'a> {
    state: &'a State,
    target: Repairable,
    intent: Intent,
    next: SyncCatalog,
}

#[async_trait]
impl Operation for Interrupted<'_> {
    type Output = ();

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<(), Error> {
        let connection = self.target.connection_id;
        let read = self.state.airbyte.connection_read(connection).await?;
        if configured::differences(&self.next, &observe::configured(&read)?).is_empty() {
            change::commit(self.state, run.lease, &self.next, &self.intent).await?;
            return Ok(());
        }
        let reason = "the process that repaired it stopped; the old catalog was restored";
        self.compensate(run, reason).await
    }

    async fn on_error(&self, _run: StepRunner<'_>, _error: &Error) -> OnError {
        OnError::Resume(Some(heal::LOOK_AGAIN))
    }

    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        change::undo(self.state, run.lease, &self.target, &self.intent).await?;
        let ending = Ending::failed(reason);
        Ok(run.registry.operation_finish(run.lease, ending).await?)
    }
}

/// Airbyte was not changed: restart a heal from the beginning; an applied catalog must be sent
/// again by its caller.
async fn untouched(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
    status: &ConnectionStatus,
) -> Result<(), Error> {
    if *status == ConnectionStatus::Healing {
        state
            .registry
            .connection_set_status(lease, ConnectionStatus::Active, None, None, None)
            .await?;
    }
    let is_heal = operation.kind == OperationKind::Heal && operation.request != apply::WRITTEN;
    let too_old = now() - operation.created_at > WAIT_MAX;
    if !is_heal || too_old {
        let message = if is_heal {
            "a job ran for more than 30 minutes; heal it again"
        } else {
            "the process stopped before it changed the catalog"
        };
        state
            .registry
            .operation_finish(lease, Ending::failed(message))
            .await?;
        return Ok(());
    }
    let request: HealRequest = serde_json::from_str(&operation.request)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let mut heal = heal::Heal {
        state,
        request: &request,
        patience: Duration::ZERO,
    };
    operations::resume(&state.registry, lease, &mut heal).await
}
