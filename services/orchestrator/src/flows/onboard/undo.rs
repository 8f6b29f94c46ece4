//! Rolls back what an onboarding created in Airbyte. Its objects are found by their ownership tag,
//! not from memory: a create that timed out or whose process crashed leaves no id behind.

use operations::steps::onboard as step;
use shared::registry::now;
use shared::registry::operations::Lease;
use shared::registry::status::StepStatus;

use crate::flows::Error;
use crate::flows::late_creates::SETTLING;
use crate::flows::owned_objects::OwnedObjects;
use crate::state::State;

/// Deletes everything that an onboarding created and ends it as FAILED; `uncertain` means that a
/// create may still take effect.
pub(super) async fn onboarding(
    state: &State,
    lease: &Lease,
    reason: &str,
    uncertain: bool,
) -> Result<(), Error> {
    state.registry.steps_abandon(lease, reason).await?;
    let row = state.connection(lease.connection_id).await?;
    if let Some(workspace) = row.workspace_id {
        let left = OwnedObjects {
            workspace,
            connection: row.id,
            name: &row.name,
            keep: None,
        };
        left.remove(state).await?;
    }
    for step in [step::CREATE_SOURCE, step::CREATE_CONNECTION] {
        state
            .registry
            .step_end(lease, step.name, StepStatus::Undone, None, None)
            .await?;
    }
    let settle_until = uncertain.then(|| now() + SETTLING);
    state
        .registry
        .onboarding_fail(lease, reason, settle_until)
        .await?;
    Ok(())
}
