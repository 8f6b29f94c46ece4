//! Healing: discover, plan, and by the policy `propose` apply what is harmless or accepted.

use std::time::Duration;

use catalog::SyncCatalog;
use catalog::plan::{self, Acceptance, Applied, Plan};
use contracts::{ErrorCode, FieldError, HealAnswer, HealOutcome, HealRequest};
use shared::airbyte::ConnectionUpdate;
use shared::airbyte::types::ConnectionRead;
use shared::http::problem::chain;
use shared::registry::keeper::LeaseKeeper;
use shared::registry::now;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, OperationStatus};

use super::observe::Offer;
use super::{Error, Repairable, change, observe, repairable, running_job, take};
use crate::state::State;

/// How long a caller waits for a running job.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(250);
/// How soon the worker looks again at a heal that waits for a job.
pub(crate) const LOOK_AGAIN: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// What comes before the next sync that Airbyte will cancel.
pub(crate) const NEXT_SYNC_CANCELLED: &str = "Airbyte's own diff calls a waiting change breaking: it will cancel the next sync and switch the connection off until the change is accepted";

/// A heal that somebody asked for.
pub(crate) async fn request(state: State, request: HealRequest) -> Result<HealAnswer, Error> {
    let target = repairable(&state, request.connection_id).await?;
    if target.row.status == ConnectionStatus::Inactive {
        return Err(Error::refused(
            ErrorCode::ConnectionNotReady,
            format!("connection {} is switched off", target.row.id),
        ));
    }
    let written = serde_json::to_string(&request)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let lease = take(&state, target.row.id, &written).await?;
    perform(&state, &lease, &request, PATIENCE).await
}

/// Heals under a lease and ends its operation, unless a job runs for longer than `patience`.
pub(crate) async fn perform(
    state: &State,
    lease: &Lease,
    request: &HealRequest,
    patience: Duration,
) -> Result<HealAnswer, Error> {
    let keeper = LeaseKeeper::start(state.registry.clone(), lease.clone());
    let result = steps(state, lease, request, patience).await;
    drop(keeper);
    if let Err(error) = &result {
        let said = chain(error);
        // FAILED `catalog_uncertain` keeps its operation open: the worker goes on undoing.
        let uncertain = shared::flow::connection(&state.registry, lease.connection_id)
            .await
            .is_ok_and(|row| row.status_reason.as_deref() == Some(change::UNCERTAIN));
        if !uncertain {
            let ended = state
                .registry
                .operation_finish(lease, OperationStatus::Failed, None, Some(&said))
                .await;
            if let Err(error) = ended {
                tracing::warn!(operation.id = %lease.operation_id, %error, "could not end an operation");
            }
        }
    }
    result
}

async fn steps(
    state: &State,
    lease: &Lease,
    request: &HealRequest,
    patience: Duration,
) -> Result<HealAnswer, Error> {
    // Read under the lease: nobody else changes the connection from here on.
    let mut target = repairable(state, request.connection_id).await?;
    let read = state.airbyte.connection_read(target.connection_id).await?;
    let version = observe::version(state, &target).await?;
    let current = observe::record_outside_change(state, lease, &mut target, version, &read).await?;
    let offer = observe::offer(state, &target).await?;
    let plan = plan::plan(&current, &offer.catalog, &offer.capabilities);
    if let Some(expected) = request
        .plan_hash
        .as_ref()
        .filter(|hash| **hash != plan.plan_hash)
    {
        return Err(stale(expected, &plan));
    }
    let acceptance = request.accept.clone().unwrap_or_default();
    let accepted = plan.accept(&acceptance).map_err(|unknown| {
        Error::fields(
            ErrorCode::Invalid,
            vec![FieldError {
                field: "accept".to_owned(),
                message: unknown.to_string(),
            }],
        )
    })?;
    let applied = plan::apply(
        &current,
        &offer.catalog,
        &plan,
        &accepted,
        &offer.capabilities,
    );
    let mut answer = HealAnswer {
        connection_id: target.row.id,
        outcome: HealOutcome::NoDrift,
        text: Some(plan.to_text()),
        previous_version: Some(target.row.current_version),
        new_version: Some(target.row.current_version),
        pending: applied
            .pending
            .iter()
            .map(|change| change.id.clone())
            .collect(),
        sync_operation_id: None,
        notes: applied.notes.clone(),
        plan: None,
    };
    let is_changed = applied.catalog.configured_fingerprint() != current.configured_fingerprint();
    if is_changed {
        if wait_for_jobs(state, &target, patience).await?.is_some() {
            state
                .registry
                .operation_hand_back(lease, now() + LOOK_AGAIN)
                .await?;
            answer.outcome = HealOutcome::Waiting;
            answer.new_version = None;
            answer.plan = Some(plan);
            return Ok(answer);
        }
        // A job may have moved states meanwhile, and so may a person the connection.
        let before = state.airbyte.connection_read(target.connection_id).await?;
        let catalog_id = accepted_catalog(&offer, &applied);
        let changed = change::put(
            state,
            lease,
            &target,
            &before,
            &applied.catalog,
            catalog_id,
            Some(applied.refresh.clone()),
        )
        .await?;
        answer.outcome = HealOutcome::Healed;
        answer.new_version = Some(changed.version);
        answer.sync_operation_id = changed.sync_operation;
    } else {
        acknowledge(state, lease, &target, &read, &offer, &applied).await?;
        if !plan.is_empty() {
            answer.outcome = HealOutcome::Proposed;
        }
        state
            .registry
            .operation_finish(lease, OperationStatus::Succeeded, None, None)
            .await?;
    }
    if applied
        .pending
        .iter()
        .any(|change| change.breaking_for_airbyte)
    {
        answer.notes.push(NEXT_SYNC_CANCELLED.to_owned());
    }
    if !plan.is_empty() {
        record(state, &answer, &plan).await?;
    }
    answer.plan = Some(plan);
    Ok(answer)
}

/// Which discovered catalog counts as accepted from now on. Where Airbyte's own diff is breaking
/// and the proposal still waits, it stays where it was: the difference must stay visible.
fn accepted_catalog(offer: &Offer, applied: &Applied) -> Option<uuid::Uuid> {
    let waits = applied
        .pending
        .iter()
        .any(|change| change.breaking_for_airbyte);
    if waits { None } else { offer.catalog_id }
}

/// Nothing to change; Airbyte is told that the newest discovered catalog is known, so that it does
/// not switch the connection off for it.
async fn acknowledge(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    read: &ConnectionRead,
    offer: &Offer,
    applied: &Applied,
) -> Result<(), Error> {
    let activate = change::switched_off_by_drift(read, target);
    let catalog_id = accepted_catalog(offer, applied);
    let behind = read.source_catalog_id != catalog_id || read.breaking_change || activate;
    if let Some(catalog_id) = catalog_id.filter(|_| behind) {
        state
            .airbyte
            .connection_update(&ConnectionUpdate {
                connection_id: target.connection_id,
                sync_catalog: None,
                source_catalog_id: Some(catalog_id),
                breaking_change: Some(false),
                status: activate.then_some("active"),
            })
            .await?;
    }
    // A version that Airbyte is seen to have ends every uncertainty about it.
    state
        .registry
        .connection_set_status(lease, ConnectionStatus::Active, None, catalog_id)
        .await?;
    Ok(())
}

async fn wait_for_jobs(
    state: &State,
    target: &Repairable,
    patience: Duration,
) -> Result<Option<String>, Error> {
    let begun = tokio::time::Instant::now();
    let mut told = false;
    loop {
        match running_job(state, target.connection_id).await? {
            None => return Ok(None),
            Some(job) if begun.elapsed() >= patience => return Ok(Some(job)),
            Some(job) => {
                if !told {
                    tracing::info!(connection.id = %target.row.id, job.id = %job, "waiting for job {job} to end");
                    told = true;
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn record(state: &State, answer: &HealAnswer, plan: &Plan) -> Result<(), Error> {
    let document = serde_json::to_string(plan)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let version = answer
        .new_version
        .or(answer.previous_version)
        .unwrap_or_default();
    state
        .registry
        .drift_record(
            answer.connection_id,
            version,
            &plan.plan_hash,
            answer.outcome.as_str(),
            &document,
        )
        .await?;
    Ok(())
}

fn stale(expected: &str, plan: &Plan) -> Error {
    Error::Refused {
        code: ErrorCode::PlanStale,
        detail: format!(
            "the source or the connection moved on since plan {expected}; read the new plan, {}",
            plan.plan_hash
        ),
        fields: Vec::new(),
        members: vec![
            ("plan", serde_json::to_value(plan).unwrap_or_default()),
            ("plan_hash", plan.plan_hash.clone().into()),
            ("text", plan.to_text().into()),
        ],
    }
}

/// The acceptance that a plan without one stands for, for those who only look.
pub(crate) fn pending_warnings(plan: &Plan, current: &SyncCatalog, offer: &Offer) -> Vec<String> {
    let Ok(accepted) = plan.accept(&Acceptance::Nothing) else {
        return Vec::new();
    };
    let applied = plan::apply(
        current,
        &offer.catalog,
        plan,
        &accepted,
        &offer.capabilities,
    );
    if applied
        .pending
        .iter()
        .any(|change| change.breaking_for_airbyte)
    {
        vec![NEXT_SYNC_CANCELLED.to_owned()]
    } else {
        Vec::new()
    }
}
