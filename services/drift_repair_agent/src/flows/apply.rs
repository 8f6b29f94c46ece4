//! Applies a catalog from a request: completed from what the source offers, and rejected as a whole
//! if any part does not fit.

use async_trait::async_trait;
use catalog::request::{self, CatalogRequest};
use contracts::{ApplyAnswer, ApplyStatus};
use operations::{OnError, Operation, StepRunner};
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::OperationKind;
use uuid::Uuid;

use super::{
    Error, after_error, change, check_active, check_no_running_job, check_version, claim, observe,
    plan, repairable,
};
use crate::state::State;

/// The requested catalog.
pub(crate) struct Request {
    pub(crate) connection_id: Uuid,
    /// The catalog as it was sent, in any notation.
    pub(crate) catalog: String,
    /// Applies only if the connection is at this version.
    pub(crate) expected_version: Option<i32>,
}

/// Distinguishes the operation from a heal's: its request contains no connection.
pub(crate) const WRITTEN: &str = "{}";

pub(crate) async fn run(state: State, request: Request) -> Result<ApplyAnswer, Error> {
    let target = repairable(&state, request.connection_id).await?;
    check_active(&target)?;
    // Reject a malformed catalog before waiting for anything.
    let catalog =
        CatalogRequest::parse(&request.catalog).map_err(|faults| plan::invalid(&faults))?;
    let lease = claim(&state, OperationKind::Heal, target.row.id, WRITTEN).await?;
    let mut apply = Apply {
        state: &state,
        request: &request,
        catalog: &catalog,
    };
    operations::execute(&state.registry, &lease, &mut apply).await
}

/// Applying a catalog, as an operation.
struct Apply<'a> {
    state: &'a State,
    request: &'a Request,
    catalog: &'a CatalogRequest,
}

#[async_trait]
impl Operation for Apply<'_> {
    type Output = ApplyAnswer;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<ApplyAnswer, Error> {
        run_steps(self.state, run.lease, self.request, self.catalog).await
    }

    async fn on_error(&self, run: StepRunner<'_>, _error: &Error) -> OnError {
        after_error(self.state, run.lease).await
    }
}

async fn run_steps(
    state: &State,
    lease: &Lease,
    request: &Request,
    catalog: &CatalogRequest,
) -> Result<ApplyAnswer, Error> {
    let mut target = repairable(state, request.connection_id).await?;
    check_version(&target, request.expected_version)?;
    check_no_running_job(state, &target, "apply the catalog").await?;
    let read = state.airbyte.connection_read(target.connection_id).await?;
    let version = observe::version(state, &target).await?;
    let current = observe::record_outside_change(state, lease, &mut target, version, &read).await?;
    let offer = observe::offer(state, &target).await?;
    let next = request::complete(
        catalog,
        &offer.catalog,
        Some(&current),
        Some(&offer.capabilities.destination_sync_modes),
    )
    .map_err(|faults| plan::invalid(&faults))?;
    let previous_version = target.row.current_version;
    let answer = |new_version, message: &str| ApplyAnswer {
        connection_id: target.row.id,
        previous_version,
        new_version,
        status: ApplyStatus::Success,
        message: message.to_owned(),
    };
    if next.configured_fingerprint() == current.configured_fingerprint() {
        state
            .registry
            .operation_finish(lease, Ending::succeeded(None))
            .await?;
        return Ok(answer(
            previous_version,
            "Catalog is already current; nothing changed",
        ));
    }
    let next = change::Next {
        catalog: &next,
        source_catalog_id: offer.catalog_id,
        follow_up: None,
        purpose: change::Purpose::Repair,
    };
    let changed = change::apply(state, lease, &target, &read, next).await?;
    Ok(answer(
        changed.version,
        "Catalog updated and versioned successfully",
    ))
}
