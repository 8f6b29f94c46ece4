//! Watches for objects that a timed-out create may still produce: at once, and for a while
//! afterwards. Airbyte can continue a create long after the caller's timeout.

use std::time::{Duration, Instant};

use context::error_chain;
use shared::airbyte;
use shared::registry::entities::operation;
use shared::registry::now;
use shared::registry::status::{OperationKind, OperationStatus};

use super::owned_objects::OwnedObjects;
use super::{Error, actors, onboard};
use crate::state::State;

/// How long to look before responding.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
/// How long an operation is watched for late objects.
pub(crate) const SETTLING: chrono::TimeDelta = chrono::TimeDelta::minutes(15);
/// Minimum and maximum interval between checks of a settling operation.
const LOOK_AGAIN: (chrono::TimeDelta, chrono::TimeDelta) = (
    chrono::TimeDelta::seconds(2),
    chrono::TimeDelta::seconds(60),
);

/// Looks until the object is there, or for long enough to assume that it is not.
///
/// # Errors
/// Returns an error if the comparison fails.
pub(crate) async fn look_for<T, F>(look: impl Fn() -> F) -> Result<Option<T>, airbyte::Error>
where
    F: Future<Output = Result<Option<T>, airbyte::Error>> + Send,
{
    let started = Instant::now();
    loop {
        let found = look().await?;
        if found.is_some() || started.elapsed() > PATIENCE {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Checks every settling operation that is due.
pub(super) async fn turn(state: &State) -> Result<(), Error> {
    while let Some((operation, lease)) = state
        .registry
        .operation_claim_settling(&state.owner)
        .await?
    {
        if let Err(error) = sweep(state, &operation).await {
            tracing::warn!(
                operation.id = %operation.id,
                error = %error_chain(&error),
                "failed to look for late objects of an operation; will retry"
            );
        }
        let over = operation.settle_until.is_none_or(|until| until < now());
        let age = now() - operation.created_at;
        let again = (age / 4).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1);
        state
            .registry
            .operation_settle(&lease, (!over).then_some(again))
            .await?;
    }
    Ok(())
}

/// Deletes objects in Airbyte with the connection's tag that do not belong to the connection.
async fn sweep(state: &State, operation: &operation::Model) -> Result<(), Error> {
    if operation.kind == OperationKind::CreateActor {
        return actors::create::sweep(state, operation).await;
    }
    let id = operation.connection_id;
    let Some(workspace) = operation.workspace_id else {
        return Ok(());
    };
    // An operation that is onboarding or deleting it now looks at the same objects, and knows
    // better.
    let others = state.registry.operation_list(id).await?;
    let is_open = |status| matches!(status, OperationStatus::Pending | OperationStatus::Running);
    if others.iter().any(|other| is_open(other.status)) {
        return Ok(());
    }
    let row = state.registry.connection_get(id).await?;
    let keep = row.and_then(|row| Some((row.airbyte_source_id?, row.airbyte_connection_id)));
    let name = onboard::name_of(&operation.request).unwrap_or_default();
    let late = OwnedObjects {
        workspace,
        connection: id,
        name: &name,
        keep,
    };
    let removed = late.remove(state).await?;
    if removed > 0 {
        tracing::warn!(
            operation.id = %operation.id,
            connection.id = %id,
            removed,
            "deleted what a create produced after its timeout"
        );
    }
    Ok(())
}
