//! Heals: discovers, plans, and applies what the connection's policy or the caller permits.

use std::time::Duration;

use async_trait::async_trait;
use catalog::drift::{Change, Decision};
use catalog::plan::{self, Applied, BadDecision, Decided, Decisions, Plan};
use contracts::{ErrorCode, Event, FieldError, HealAnswer, HealOutcome, HealRequest};
use operations::{OnError, Operation, StepRunner};
use shared::airbyte::ErrorKind;
use shared::airbyte::types::ConnectionRead;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::OperationKind;

use super::observe::Offer;
use super::{
    Error, Repairable, after_error, change, check_active, claim, observe, pending_drift,
    repairable, running_job,
};
use crate::state::State;

/// How long a caller waits for a running job.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(250);
/// Delay before the worker checks again on a heal that waits for a job.
pub(crate) const LOOK_AGAIN: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// The note about renames on a server without field-renaming mappers.
const NO_MAPPERS: &str = "Airbyte rejected the mapper that keeps a renamed column's name: the \
                          column gets its new name in the destination, and its stream is refreshed";

/// A heal that a caller requested.
pub(crate) async fn request(state: State, request: HealRequest) -> Result<HealAnswer, Error> {
    let target = repairable(&state, request.connection_id).await?;
    check_active(&target)?;
    let written = serde_json::to_string(&request)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let lease = claim(&state, OperationKind::Heal, target.row.id, &written).await?;
    let mut heal = Heal {
        state: &state,
        request: &request,
        patience: PATIENCE,
    };
    operations::execute(&state.registry, &lease, &mut heal).await
}

/// A heal, as an operation.
pub(crate) struct Heal<'a> {
    pub(crate) state: &'a State,
    pub(crate) request: &'a HealRequest,
    /// How long it waits for a running job; the operation then stays open.
    pub(crate) patience: Duration,
}

#[async_trait]
impl Operation for Heal<'_> {
    type Output = HealAnswer;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<HealAnswer, Error> {
        run_steps(self.state, run.lease, self.request, self.patience).await
    }

    async fn on_error(&self, run: StepRunner<'_>, _error: &Error) -> OnError {
        after_error(self.state, run.lease).await
    }
}

async fn run_steps(
    state: &State,
    lease: &Lease,
    request: &HealRequest,
    patience: Duration,
) -> Result<HealAnswer, Error> {
    // Read under the lease: from here on no other process changes the connection.
    let mut target = repairable(state, request.connection_id).await?;
    let read = state.airbyte.connection_read(target.connection_id).await?;
    let version = observe::version(state, &target).await?;
    let current = observe::record_outside_change(state, lease, &mut target, version, &read).await?;
    let mut offer = observe::offer(state, &target).await?;
    offer.capabilities.sketches = request.sketches.clone().unwrap_or_default();
    let plan = observe::plan(&target, &current, &offer)?;
    if let Some(expected) = request
        .plan_hash
        .as_ref()
        .filter(|hash| **hash != plan.plan_hash)
    {
        return Err(stale(expected, &plan));
    }
    let decisions = request.decisions();
    let decided = decided(&plan, &decisions)?;
    let mut applied = plan::apply(
        &current,
        &offer.catalog,
        &plan,
        &decided,
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
            .filter(|change| change.decision != Decision::Ignore)
            .filter(|change| !decisions.defer.contains(&change.id))
            .map(|change| change.id.clone())
            .collect(),
        sync_operation_id: None,
        notes: applied.notes.clone(),
        plan: None,
    };
    let pausing: Vec<&Change> = applied
        .pending
        .iter()
        .filter(|change| change.decision == Decision::Pause)
        .filter(|change| !decisions.defer.contains(&change.id))
        .collect();
    if !pausing.is_empty() {
        pending_drift::pause(state, lease, &target, &pausing, &mut answer).await?;
        record(
            state,
            &answer,
            plan.clone().without_catalogs(&decided, &applied),
        )
        .await?;
        answer.plan = Some(plan.without_catalogs(&decided, &applied));
        return Ok(answer);
    }
    let is_changed = applied.catalog.configured_fingerprint() != current.configured_fingerprint();
    if is_changed {
        if wait_for_jobs(state, &target, patience).await?.is_some() {
            state.registry.operation_release(lease, LOOK_AGAIN).await?;
            answer.outcome = HealOutcome::Waiting;
            answer.new_version = None;
            answer.plan = Some(plan);
            return Ok(answer);
        }
        // In the meantime a job may have moved the state, and a user may have changed the
        // connection.
        let before = state.airbyte.connection_read(target.connection_id).await?;
        let first = apply_plan(state, lease, &target, &before, &offer, &applied, &decisions).await;
        let changed = match first {
            Err(error) if refuses_mappers(&error) && offer.capabilities.mappers => {
                // Renamed columns get their new name at the destination, with the refresh that this
                // requires.
                offer.capabilities.mappers = false;
                let plan = observe::plan(&target, &current, &offer)?;
                let decided = self::decided(&plan, &decisions)?;
                let catalog = &offer.catalog;
                applied = plan::apply(&current, catalog, &plan, &decided, &offer.capabilities);
                answer.notes.push(NO_MAPPERS.to_owned());
                apply_plan(state, lease, &target, &before, &offer, &applied, &decisions).await?
            }
            changed => changed?,
        };
        answer.outcome = HealOutcome::Healed;
        answer.new_version = Some(changed.version);
        answer.sync_operation_id = changed.sync_operation;
    } else {
        let catalog_id = pending_drift::accepted_catalog(&offer, &applied, &decisions);
        pending_drift::acknowledge(state, lease, &target, &read, catalog_id).await?;
        if !answer.pending.is_empty() {
            answer.outcome = HealOutcome::Proposed;
        }
        state
            .registry
            .operation_finish(lease, Ending::succeeded(None))
            .await?;
    }
    answer.notes.extend(pending_drift::warnings(&applied));
    let plan = plan.without_catalogs(&decided, &applied);
    if !plan.is_empty() {
        record(state, &answer, plan.clone()).await?;
    }
    answer.plan = Some(plan);
    Ok(answer)
}

/// The decision about every change of a plan.
pub(crate) fn decided(plan: &Plan, decisions: &Decisions) -> Result<Decided, Error> {
    plan.decide(decisions).map_err(|bad| {
        let fields = bad.0.iter().map(|fault| FieldError {
            field: match fault {
                BadDecision::NotRejectable { .. } => "reject",
                BadDecision::Unknown(id) | BadDecision::Twice(id) => {
                    if decisions.defer.contains(id) {
                        "defer"
                    } else if decisions.reject.contains(id) {
                        "reject"
                    } else {
                        "accept"
                    }
                }
            }
            .to_owned(),
            message: fault.to_string(),
        });
        Error::fields(ErrorCode::Invalid, fields.collect())
    })
}

/// Applies the plan's catalog.
async fn apply_plan(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    before: &ConnectionRead,
    offer: &Offer,
    applied: &Applied,
    decisions: &Decisions,
) -> Result<change::Changed, Error> {
    let catalog_id = pending_drift::accepted_catalog(offer, applied, decisions);
    let next = change::Next {
        catalog: &applied.catalog,
        source_catalog_id: catalog_id,
        follow_up: Some(applied.refresh.clone()),
        purpose: change::Purpose::Repair,
    };
    change::apply(state, lease, target, before, next).await
}

/// Whether Airbyte rejected a catalog because of its mappers.
fn refuses_mappers(error: &Error) -> bool {
    match error {
        Error::Airbyte(error) => match &error.kind {
            ErrorKind::Rejected {
                problem, message, ..
            } => problem.contains("mapper") || message.contains("mapper"),
            _ => false,
        },
        _ => false,
    }
}

async fn wait_for_jobs(
    state: &State,
    target: &Repairable,
    patience: Duration,
) -> Result<Option<String>, Error> {
    let started = tokio::time::Instant::now();
    let mut is_logged = false;
    loop {
        match running_job(state, target.connection_id).await? {
            None => return Ok(None),
            Some(job) if started.elapsed() >= patience => return Ok(Some(job)),
            Some(job) => {
                if !is_logged {
                    tracing::info!(
                        connection.id = %target.row.id,
                        job.id = %job,
                        "waiting for job {job} to end"
                    );
                    is_logged = true;
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn record(state: &State, answer: &HealAnswer, plan: Plan) -> Result<(), Error> {
    let document = serde_json::to_string(&plan)
        .map_err(|error| shared::registry::Error::Document(error.to_string()))?;
    let version = answer
        .new_version
        .or(answer.previous_version)
        .unwrap_or_default();
    let base = answer.previous_version.unwrap_or_default();
    let mut events = vec![Event::DriftDetected {
        version: base,
        plan_hash: plan.plan_hash.clone(),
        changes: plan.changes.len(),
    }];
    if !answer.pending.is_empty() {
        events.push(Event::RepairProposed {
            version: version.max(base),
            plan_hash: plan.plan_hash.clone(),
            pending: answer.pending.clone(),
        });
    }
    state
        .registry
        .drift_record(
            answer.connection_id,
            version,
            &plan.plan_hash,
            answer.outcome.as_str(),
            &document,
            &events,
        )
        .await?;
    Ok(())
}

fn stale(expected: &str, plan: &Plan) -> Error {
    Error::Refused {
        code: ErrorCode::PlanStale,
        detail: format!(
            "the source or the connection has changed since plan {expected}; the current plan is \
             {}",
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
