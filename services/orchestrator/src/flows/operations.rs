//! Resumes operations that another process left: each is observed, then finished or rolled back.

use context::error_chain;
use operations::on_behalf;
use shared::registry::entities::operation;
use shared::registry::operations::Lease;
use shared::registry::status::OperationKind;
use shared::registry::{self, Conflict};

use super::{Error, actors, delete, late_creates, onboard, sync, update};
use crate::state::State;

/// The kinds that the orchestrator resumes; the drift-repair agent has the others.
const KINDS: &[OperationKind] = &[
    OperationKind::Onboard,
    OperationKind::Update,
    OperationKind::Delete,
    OperationKind::Trigger,
    OperationKind::CreateActor,
    OperationKind::DeleteActor,
];
/// Delay before retrying an operation that was blocked.
const RETRY: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// Resumes all operations that no process holds.
pub(super) async fn turn(state: &State) -> Result<(), Error> {
    // Each at most once per turn: one that cannot proceed must not block the others.
    let mut seen = std::collections::HashSet::new();
    while let Some((operation, lease)) = state.registry.operation_claim(KINDS, &state.owner).await?
    {
        let going_on = Box::pin(go_on(state, &operation, &lease));
        let gone_on = on_behalf(&operation, going_on).await;
        if let Err(error) = gone_on {
            tracing::warn!(
                operation.id = %operation.id,
                connection.id = %lease.connection_id,
                error = %error_chain(&error),
                "failed to resume operation; will retry"
            );
            let back = state.registry.operation_release(&lease, RETRY).await;
            // It has ended anyway, or another process holds it by now.
            if !matches!(
                back,
                Ok(()) | Err(registry::Error::Conflict(Conflict::LeaseLost))
            ) {
                back?;
            }
        }
        if !seen.insert(operation.id) {
            break;
        }
    }
    late_creates::turn(state).await
}

async fn go_on(state: &State, operation: &operation::Model, lease: &Lease) -> Result<(), Error> {
    match operation.kind {
        OperationKind::Onboard => onboard::recover(state, operation, lease).await,
        OperationKind::Update => update::recover(state, operation, lease).await,
        OperationKind::Delete => delete::recover(state, operation, lease).await,
        OperationKind::Trigger => sync::recover(state, operation, lease).await,
        OperationKind::CreateActor => actors::create::recover(state, operation, lease).await,
        OperationKind::DeleteActor => actors::delete::recover(state, operation, lease).await,
        OperationKind::Heal | OperationKind::Rollback | OperationKind::Sync => Ok(()),
    }
}
