//! Rolls a connection back to an earlier catalog version, under a new number.

use async_trait::async_trait;
use catalog::SyncCatalog;
use contracts::{ErrorCode, RollbackAnswer, RollbackRequest};
use operations::{OnError, Operation, StepRunner};
use shared::registry;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::OperationKind;

use super::{
    Error, after_error, change, check_active, check_no_running_job, check_version, claim, observe,
    repairable,
};
use crate::state::State;

/// What a rollback does not restore.
const STATE_STAYS: &str = "The catalog is restored, the sync state is not: incremental streams \
                           continue from where they are";

pub(crate) async fn run(state: State, request: RollbackRequest) -> Result<RollbackAnswer, Error> {
    let target = repairable(&state, request.connection_id).await?;
    check_active(&target)?;
    // Report a missing version before waiting for anything.
    version(&state, &request).await?;
    let written = serde_json::to_string(&request)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let lease = claim(&state, OperationKind::Rollback, target.row.id, &written).await?;
    let mut rollback = Rollback {
        state: &state,
        request: &request,
    };
    operations::execute(&state.registry, &lease, &mut rollback).await
}

/// A rollback, as an operation.
struct Rollback<'a> {
    state: &'a State,
    request: &'a RollbackRequest,
}

#[async_trait]
impl Operation for Rollback<'_> {
    type Output = RollbackAnswer;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<RollbackAnswer, Error> {
        run_steps(self.state, run.lease, self.request).await
    }

    async fn on_error(&self, run: StepRunner<'_>, _error: &Error) -> OnError {
        after_error(self.state, run.lease).await
    }
}

async fn run_steps(
    state: &State,
    lease: &Lease,
    request: &RollbackRequest,
) -> Result<RollbackAnswer, Error> {
    let mut target = repairable(state, request.connection_id).await?;
    check_version(&target, request.expected_version)?;
    check_no_running_job(state, &target, "roll back").await?;
    let read = state.airbyte.connection_read(target.connection_id).await?;
    let current = observe::version(state, &target).await?;
    let current = observe::record_outside_change(state, lease, &mut target, current, &read).await?;
    let next = version(state, request).await?;
    let mut answer = RollbackAnswer {
        connection_id: target.row.id,
        previous_version: target.row.current_version,
        new_version: target.row.current_version,
        message: format!(
            "The catalog of version {} is already current; nothing changed",
            request.version
        ),
    };
    if next.configured_fingerprint() == current.configured_fingerprint() {
        state
            .registry
            .operation_finish(lease, Ending::succeeded(None))
            .await?;
        return Ok(answer);
    }
    let next = change::Next {
        catalog: &next,
        source_catalog_id: None,
        follow_up: None,
        purpose: change::Purpose::Rollback(request.version),
    };
    let changed = change::apply(state, lease, &target, &read, next).await?;
    answer.new_version = changed.version;
    answer.message = format!(
        "The catalog of version {} is now current as version {}. {STATE_STAYS}",
        request.version, changed.version
    );
    Ok(answer)
}

async fn version(state: &State, request: &RollbackRequest) -> Result<SyncCatalog, Error> {
    let stored = state
        .registry
        .version_get(request.connection_id, request.version)
        .await?;
    let stored = stored.ok_or_else(|| {
        Error::refused(
            ErrorCode::VersionNotFound,
            format!(
                "connection {} has no version {}",
                request.connection_id, request.version
            ),
        )
    })?;
    SyncCatalog::parse(&stored.document)
        .map_err(|faults| registry::Error::Document(faults.to_string()).into())
}
