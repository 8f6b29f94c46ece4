//! Resumes a repair whose process stopped: observes what Airbyte has, then finishes or rolls back.

use std::time::Duration;

use catalog::SyncCatalog;
use contracts::HealRequest;
use operations::steps::heal as step;
use shared::registry::entities::operation;
use shared::registry::now;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::{ConnectionStatus, OperationKind, StepStatus};

use super::change::{self, Intent};
use super::{Error, apply, heal, observe, repairable};
use crate::domain::configured;
use crate::state::State;

/// How long a heal may wait for a job to end.
const WAIT_MAX: chrono::TimeDelta = chrono::TimeDelta::minutes(30);

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
            started.step == step::UPDATE_CONNECTION.name && started.status != StepStatus::Undone
        })
        .and_then(|step| step.intent.as_deref());
    let Some(intended) = intended else {
        return untouched(state, operation, lease, &target.row.status).await;
    };
    let intent: Intent = serde_json::from_str(intended)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let next = SyncCatalog::parse(&intent.next)
        .map_err(|faults| shared::registry::Error::Document(faults.to_string()))?;
    let read = state.airbyte.connection_read(target.connection_id).await?;
    if configured::differences(&next, &observe::configured(&read)?).is_empty() {
        change::commit(state, lease, &next, &intent).await?;
        return Ok(());
    }
    change::undo(state, lease, &target, &intent).await?;
    let message = "the process that repaired it stopped; the old catalog was restored";
    state
        .registry
        .operation_finish(lease, Ending::failed(message))
        .await?;
    Ok(())
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
    let answer = heal::execute(state, lease, &request, Duration::ZERO).await?;
    tracing::info!(
        connection.id = %operation.connection_id,
        outcome = answer.outcome.as_str(),
        "resumed a heal"
    );
    Ok(())
}
