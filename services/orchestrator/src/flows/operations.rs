//! Resumes operations that another process left: each is observed, then finished or rolled back.

use async_trait::async_trait;
use operations::Resume;
use shared::registry::entities::operation;
use shared::registry::operations::Lease;
use shared::registry::status::OperationKind;

use super::{Error, actors, delete, follow_up_sync, late_creates, onboard, sync, update};
use crate::state::State;

/// Resumes all operations that no process holds.
pub(super) async fn turn(state: &State) -> Result<(), Error> {
    operations::resume_all(state, &state.registry, &state.owner).await?;
    late_creates::turn(state).await
}

/// The drift-repair agent resumes the other kinds.
#[async_trait]
impl Resume for State {
    const KINDS: &'static [OperationKind] = &[
        OperationKind::Onboard,
        OperationKind::Update,
        OperationKind::Delete,
        OperationKind::Trigger,
        OperationKind::CreateActor,
        OperationKind::DeleteActor,
        OperationKind::Sync,
    ];

    async fn resume(&self, operation: &operation::Model, lease: &Lease) -> Result<(), Error> {
        match operation.kind {
            OperationKind::Onboard => onboard::recover(self, operation, lease).await,
            OperationKind::Update => update::recover(self, operation, lease).await,
            OperationKind::Delete => delete::recover(self, operation, lease).await,
            OperationKind::Trigger => sync::recover(self, operation, lease).await,
            OperationKind::CreateActor => actors::create::recover(self, operation, lease).await,
            OperationKind::DeleteActor => actors::delete::recover(self, operation, lease).await,
            OperationKind::Sync => follow_up_sync::start(self, operation, lease).await,
            OperationKind::Heal | OperationKind::Rollback => Ok(()),
        }
    }
}
