//! Computes a plan without healing: changes nothing, neither in Airbyte nor in the registry.

use catalog::SyncCatalog;
use catalog::plan::{self, Capabilities};
use contracts::{ErrorCode, FieldError, PlanAnswer, PlanRequest};

use super::observe::Offer;
use super::{Error, heal, observe, pending_drift, repairable};
use crate::domain::configured;
use crate::state::State;

pub(crate) async fn run(state: State, request: PlanRequest) -> Result<PlanAnswer, Error> {
    let target = repairable(&state, request.connection_id).await?;
    let version = observe::version(&state, &target).await?;
    let read = state.airbyte.connection_read(target.connection_id).await?;
    let configured = observe::configured(&read)?;
    // A heal would first record a change made in Airbyte itself.
    let current = if configured::differences(&version, &configured).is_empty() {
        version
    } else {
        configured::overlaid(&version, &configured)
    };
    let mut offer = match &request.new_sync_catalog {
        None => observe::offer(&state, &target).await?,
        Some(given) => Offer {
            catalog: SyncCatalog::parse(given.get()).map_err(|faults| invalid(&faults))?,
            catalog_id: None,
            capabilities: Capabilities {
                destination: observe::destination_kind(&state, &target).await?,
                ..Capabilities::default()
            },
        },
    };
    offer.capabilities.sketches = request.sketches.unwrap_or_default();
    let plan = observe::plan(&target, &current, &offer)?;
    let decided = heal::decided(&plan, &request.decisions)?;
    let applied = plan::apply(
        &current,
        &offer.catalog,
        &plan,
        &decided,
        &offer.capabilities,
    );
    Ok(PlanAnswer {
        connection_id: target.row.id,
        version: target.row.current_version,
        plan_hash: plan.plan_hash.clone(),
        text: plan.to_text(),
        warnings: pending_drift::warnings(&applied),
        plan: plan.with_outcome(&decided, &applied),
    })
}

/// The error for a catalog that is malformed or does not fit, with every fault by its path in the
/// request.
pub(crate) fn invalid(faults: &catalog::Faults) -> Error {
    let fields = faults
        .0
        .iter()
        .map(|fault| FieldError {
            field: fault.path.replacen('$', "new_sync_catalog", 1),
            message: fault.message.clone(),
        })
        .collect();
    Error::fields(ErrorCode::CatalogInvalid, fields)
}
