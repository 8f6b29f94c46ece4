//! Operations that another process left: each is observed, then finished or undone.

use shared::http::problem::chain;
use shared::operation::on_behalf;
use shared::registry::entities::operation;
use shared::registry::operations::Lease;
use shared::registry::status::OperationKind;
use shared::registry::{self, Conflict};

use super::{Error, delete, onboard, settle, sync, update};
use crate::state::State;

/// What the orchestrator goes on with; the drift-repair agent has the others.
const KINDS: &[OperationKind] = &[
    OperationKind::Onboard,
    OperationKind::Update,
    OperationKind::Delete,
    OperationKind::Trigger,
];
/// How soon one that something stood in the way of is tried again.
const RETRY: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// Goes on with everything that nobody holds.
pub(super) async fn turn(state: &State) -> Result<(), Error> {
    // Each at most once a turn: one that cannot go on must not keep the others waiting.
    let mut seen = std::collections::HashSet::new();
    while let Some((operation, lease)) = state.registry.operation_take(KINDS, &state.owner).await? {
        let gone_on = on_behalf(&operation, Box::pin(go_on(state, &operation, &lease))).await;
        if let Err(error) = gone_on {
            tracing::warn!(operation.id = %operation.id, connection.id = %lease.connection_id, error = %chain(&error), "could not go on with an operation; it is tried again");
            let back = state.registry.operation_hand_back(&lease, RETRY).await;
            // Finished all the same, or another process has it by now.
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
    settle::turn(state).await
}

async fn go_on(state: &State, operation: &operation::Model, lease: &Lease) -> Result<(), Error> {
    match operation.kind {
        OperationKind::Onboard => onboard::recover(state, operation, lease).await,
        OperationKind::Update => update::recover(state, operation, lease).await,
        OperationKind::Delete => delete::recover(state, operation, lease).await,
        OperationKind::Trigger => sync::recover(state, operation, lease).await,
        OperationKind::Heal | OperationKind::Rollback | OperationKind::Sync => Ok(()),
    }
}
