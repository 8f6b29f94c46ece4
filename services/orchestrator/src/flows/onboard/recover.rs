//! Resumes an onboarding whose process stopped.

use context::error_chain;
use shared::registry::entities::operation;
use shared::registry::now;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, StepStatus};

use super::make::Making;
use super::stored::Stored;
use super::undo;
use crate::flows::Error;
use crate::state::State;

/// For how long an onboarding without a waiting caller is retried while a dependency is
/// unreachable.
const GIVE_UP: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Completes an onboarding that another process started.
pub(crate) async fn onboarding(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let row = state.connection(lease.connection_id).await?;
    if row.status != ConnectionStatus::Pending {
        // Only the rollback remained.
        return undo::onboarding(state, lease, "its onboarding was rolled back", false).await;
    }
    let steps = state.registry.step_list(operation.id).await?;
    let was_undoing = steps.iter().any(|step| step.status == StepStatus::Undone);
    if was_undoing || steps.iter().any(|step| step.status == StepStatus::Failed) {
        let reason = steps.iter().rev().find_map(|step| step.error.clone());
        let reason = reason.unwrap_or_else(|| "its onboarding was rolled back".to_owned());
        return undo::onboarding(state, lease, &reason, true).await;
    }
    let too_old = now() - operation.created_at > GIVE_UP;
    let opened = match Stored::parse(&operation.request)?
        .open(state, operation.id)
        .await
    {
        Ok(Some(opened)) => opened,
        Err(error) if error.is_transient() && !too_old => return Err(error),
        Ok(None) => {
            let reason = "the process that onboarded it stopped, and its configuration is no \
                          longer stored; onboard it again";
            return undo::onboarding(state, lease, reason, true).await;
        }
        Err(error) => return undo::onboarding(state, lease, &error_chain(&error), true).await,
    };
    let (request, prepared, initial_status) = &opened;
    let mut making = Making::resume(state, request, prepared, *initial_status, lease, &steps);
    operations::resume(&state.registry, lease, &mut making).await
}
