//! Applying a catalog that somebody sent: completed from what the source offers, refused as a whole
//! when anything in it does not fit.

use catalog::request::{self, CatalogRequest};
use contracts::{ApplyAnswer, ApplyStatus, ErrorCode};
use shared::http::problem::chain;
use shared::registry::keeper::LeaseKeeper;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, OperationStatus};
use uuid::Uuid;

use super::{Error, change, observe, plan, repairable, running_job, take};
use crate::state::State;

/// What somebody sent.
pub(crate) struct Request {
    pub(crate) connection_id: Uuid,
    /// The catalog as it was written, in any notation.
    pub(crate) catalog: String,
    /// Only if the connection is at this version.
    pub(crate) expected_version: Option<i32>,
}

/// How the operation is known from a heal's: its request holds no connection.
pub(crate) const WRITTEN: &str = "{}";

pub(crate) async fn run(state: State, request: Request) -> Result<ApplyAnswer, Error> {
    let target = repairable(&state, request.connection_id).await?;
    if target.row.status == ConnectionStatus::Inactive && !change::is_paused(&target) {
        return Err(Error::refused(
            ErrorCode::ConnectionNotReady,
            format!("connection {} is switched off", target.row.id),
        ));
    }
    // Garbage is told before anybody waits.
    let catalog =
        CatalogRequest::parse(&request.catalog).map_err(|faults| plan::invalid(&faults))?;
    let lease = take(&state, target.row.id, WRITTEN).await?;
    let keeper = LeaseKeeper::start(state.registry.clone(), lease.clone());
    let result = steps(&state, &lease, &request, &catalog).await;
    drop(keeper);
    if let Err(error) = &result {
        let row = shared::flow::connection(&state.registry, lease.connection_id).await?;
        if row.status_reason.as_deref() != Some(change::UNCERTAIN) {
            let said = chain(error);
            state
                .registry
                .operation_finish(&lease, OperationStatus::Failed, None, Some(&said))
                .await?;
        }
    }
    result
}

async fn steps(
    state: &State,
    lease: &Lease,
    request: &Request,
    catalog: &CatalogRequest,
) -> Result<ApplyAnswer, Error> {
    let mut target = repairable(state, request.connection_id).await?;
    if let Some(expected) = request
        .expected_version
        .filter(|v| *v != target.row.current_version)
    {
        return Err(Error::refused(
            ErrorCode::VersionConflict,
            format!(
                "the connection is at version {}, not {expected}",
                target.row.current_version
            ),
        ));
    }
    if let Some(job) = running_job(state, target.connection_id).await? {
        return Err(Error::refused(
            ErrorCode::JobRunning,
            format!("job {job} is running; apply the catalog when it has ended"),
        ));
    }
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
            .operation_finish(lease, OperationStatus::Succeeded, None, None)
            .await?;
        return Ok(answer(
            previous_version,
            "Catalog is already in force; nothing changed",
        ));
    }
    let changed = change::put(state, lease, &target, &read, &next, offer.catalog_id, None).await?;
    Ok(answer(
        changed.version,
        "Catalog updated and versioned successfully",
    ))
}
