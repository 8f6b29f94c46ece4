//! Starts a sync, or none if one is already running.

use std::time::Duration;

use async_trait::async_trait;
use contracts::{ErrorCode, SyncStatus, SyncTriggered};
use operations::steps::trigger as step;
use operations::{OnError, Operation, StepOutput, StepRunner};
use serde_json::Value;
use shared::airbyte::types::Job;
use shared::airbyte::{self, ErrorKind};
use shared::registry::changes::DELETING;
use shared::registry::entities::{connection, operation};
use shared::registry::jobs::{JobFacts, StartedBy};
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, JobStatus, OperationKind};
use shared::registry::{self, Conflict};
use uuid::Uuid;

use super::{Error, late_creates};
use crate::state::State;

/// How long a caller waits for a trigger elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum number of attempts while Airbyte reports a running job and none is running.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

/// Starting a sync, as an operation.
struct Trigger<'a> {
    state: &'a State,
    row: &'a connection::Model,
    /// The newest job before a process that stopped may have started one.
    before: Option<i64>,
}

/// Starts a sync of the connection, or attaches to the running sync or refresh. Of several callers
/// one triggers; the others wait for its result.
pub(crate) async fn start(state: State, id: Uuid) -> Result<SyncTriggered, Error> {
    let started = tokio::time::Instant::now();
    loop {
        let row = state.own_connection(id).await?;
        ready(&row)?;
        let new = NewOperation::started(OperationKind::Trigger, id, "{}", &state.owner);
        let lease = match state.registry.operation_begin(new).await {
            Ok(lease) => lease,
            Err(registry::Error::Conflict(Conflict::OperationInProgress)) => {
                if let Some(job) = triggered_by_another(&state, id).await? {
                    return attach(&state, &row, &job).await;
                }
                if started.elapsed() > PATIENCE {
                    return Err(registry::Error::Conflict(Conflict::OperationInProgress).into());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut trigger = Trigger {
            state: &state,
            row: &row,
            before: None,
        };
        return operations::execute(&state.registry, &lease, &mut trigger).await;
    }
}

/// Waits for the trigger elsewhere; returns the resulting job.
async fn triggered_by_another(state: &State, id: Uuid) -> Result<Option<Job>, Error> {
    let kind = OperationKind::Trigger;
    let ended = operations::wait_for_open(&state.registry, id, kind, PATIENCE).await?;
    let result: Option<Value> = ended
        .and_then(|ended| ended.result)
        .and_then(|result| serde_json::from_str(&result).ok());
    match result.as_ref().and_then(|result| result["job_id"].as_str()) {
        Some(job_id) => Ok(Some(state.airbyte.job_get(job_id).await?)),
        None => Ok(None),
    }
}

/// Resumes a trigger whose process stopped.
pub(crate) async fn recover(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let row = state.connection(lease.connection_id).await?;
    let steps = state.registry.step_list(operation.id).await?;
    let before = steps
        .iter()
        .find(|started| started.step == step::START_JOB.name)
        .and_then(|started| started.intent.as_deref()?.parse().ok());
    let mut trigger = Trigger {
        state,
        row: &row,
        before,
    };
    operations::resume(&state.registry, lease, &mut trigger).await
}

#[async_trait]
impl Operation for Trigger<'_> {
    type Output = SyncTriggered;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<SyncTriggered, Error> {
        let started = self.run_steps(run).await?;
        let is_new = started.status == SyncStatus::Triggered;
        let registry = &self.state.registry;
        let ended = registry.trigger_succeed(run.lease, &started.job_id, is_new);
        if let Err(error) = ended.await {
            // The job runs; when the lease has expired, the worker finds it and ends the operation.
            tracing::warn!(
                operation.id = %run.lease.operation_id,
                %error,
                "failed to end an operation"
            );
        }
        Ok(started)
    }

    async fn on_error(&self, _run: StepRunner<'_>, _error: &Error) -> OnError {
        OnError::Compensate
    }
}

impl Trigger<'_> {
    async fn run_steps(&self, run: StepRunner<'_>) -> Result<SyncTriggered, Error> {
        let (state, row) = (self.state, self.row);
        let airbyte_id = ready(row)?;
        if let Some(before) = self.before {
            // A sync with a higher number shows whether it was started.
            let ours = late_creates::look_for(|| newer_sync(state, airbyte_id, before)).await?;
            if let Some(job) = ours {
                record(state, row.id, &job, Some(StartedBy::Aam)).await?;
                return Ok(triggered(row.id, job));
            }
        }
        let newest = state.airbyte.job_list_newest(airbyte_id, 1).await?;
        let newest = newest.into_iter().next();
        if let Some(job) = newest.as_ref().filter(|job| !is_final(job)) {
            return attach(state, row, job).await;
        }
        let highest = newest.as_ref().map_or(0, number);
        let start = async {
            let job = trigger(state, airbyte_id, highest).await?;
            let id = match &job {
                Triggered::Now(job) | Triggered::Before(job) => job.job_id.clone(),
            };
            Ok(StepOutput::with_reference(job, id))
        };
        let started = run
            .step(step::START_JOB, &highest.to_string(), start)
            .await?;
        let record = async {
            match started {
                Triggered::Now(job) => {
                    record(state, row.id, &job, Some(StartedBy::Aam)).await?;
                    Ok(triggered(row.id, job))
                }
                Triggered::Before(job) => attach(state, row, &job).await,
            }
        };
        run.commit(step::RECORD_JOB, record).await
    }
}

fn triggered(connection: Uuid, job: Job) -> SyncTriggered {
    tracing::info!(connection.id = %connection, job.id = %job.job_id, "started job {}", job.job_id);
    SyncTriggered {
        connection_id: connection,
        job_id: job.job_id,
        status: SyncStatus::Triggered,
        message: "Sync job started successfully".to_owned(),
    }
}

/// The Airbyte connection, if its state allows a job.
pub(crate) fn ready(row: &connection::Model) -> Result<Uuid, Error> {
    let refuse = |detail: &str| {
        Err(Error::refused(
            ErrorCode::ConnectionNotReady,
            format!("connection {} {detail}", row.id),
        ))
    };
    match (row.status, row.airbyte_connection_id) {
        (ConnectionStatus::Active, Some(id)) => Ok(id),
        (ConnectionStatus::Pending, _) => refuse("is still being onboarded"),
        (ConnectionStatus::Healing, _) => refuse("is being healed; a sync follows automatically"),
        (ConnectionStatus::Inactive, _) if row.status_reason.as_deref() == Some(DELETING) => {
            refuse("is being deleted")
        }
        (ConnectionStatus::Inactive, _) => refuse("is deactivated"),
        (ConnectionStatus::Failed, _) => refuse(&format!(
            "is FAILED ({}); onboard or heal it first",
            row.status_reason.as_deref().unwrap_or("no reason given")
        )),
        (ConnectionStatus::Active, None) => refuse("has no Airbyte connection"),
    }
}

enum Triggered {
    Now(Job),
    Before(Job),
}

async fn trigger(state: &State, connection: Uuid, highest: i64) -> Result<Triggered, Error> {
    let mut tries_left = TRIES;
    loop {
        tries_left -= 1;
        let error = match state.airbyte.job_create_sync(connection).await {
            Ok(job) => return Ok(Triggered::Now(job)),
            Err(error) => error,
        };
        match &error.kind {
            ErrorKind::Conflict { problem, .. } if problem == "try-again-later" => {
                let newest = state.airbyte.job_list_newest(connection, 10).await?;
                if let Some(job) = newest.into_iter().find(|job| !is_final(job)) {
                    return Ok(Triggered::Before(job));
                }
                // It ended in the meantime: retry.
                if tries_left == 0 {
                    return Err(error.into());
                }
                tokio::time::sleep(PAUSE).await;
            }
            ErrorKind::Conflict { problem, message } if problem == "state-conflict" => {
                return Err(Error::refused(
                    ErrorCode::ConnectionInactive,
                    format!(
                        "Airbyte does not run it: {message}; drift may have deactivated it, which \
                         a heal repairs"
                    ),
                ));
            }
            _ if error.is_ambiguous() => {
                return find_started(state, connection, highest, error).await;
            }
            _ => return Err(error.into()),
        }
    }
}

/// After a timeout: the sync with a higher number than any before is the one.
async fn find_started(
    state: &State,
    connection: Uuid,
    highest: i64,
    error: airbyte::Error,
) -> Result<Triggered, Error> {
    let ours = late_creates::look_for(|| newer_sync(state, connection, highest));
    Ok(Triggered::Now(ours.await?.ok_or(error)?))
}

async fn newer_sync(
    state: &State,
    connection: Uuid,
    highest: i64,
) -> Result<Option<Job>, airbyte::Error> {
    let newest = state.airbyte.job_list_newest(connection, 10).await?;
    Ok(newest
        .into_iter()
        .find(|job| job.job_type == "sync" && number(job) > highest))
}

async fn attach(state: &State, row: &connection::Model, job: &Job) -> Result<SyncTriggered, Error> {
    if matches!(job.job_type.as_str(), "reset" | "clear") {
        return Err(Error::refused(
            ErrorCode::JobRunning,
            format!(
                "job {} is clearing the connection's data; sync after it has ended",
                job.job_id
            ),
        ));
    }
    record(state, row.id, job, None).await?;
    Ok(SyncTriggered {
        connection_id: row.id,
        job_id: job.job_id.clone(),
        status: SyncStatus::Attached,
        message: format!("Job {} is already running", job.job_id),
    })
}

/// Stores a job from Airbyte, with who started it if that is certain, and wakes the worker.
pub(crate) async fn record(
    state: &State,
    connection_id: Uuid,
    job: &Job,
    started_by: Option<StartedBy>,
) -> Result<(), Error> {
    let status = JobStatus::from_airbyte(&job.status);
    let facts = JobFacts {
        connection_id,
        airbyte_job_id: job.job_id.clone(),
        job_type: job.job_type.clone(),
        // A final status is only stored together with the attempts' details.
        status: if status.is_final() {
            JobStatus::Running
        } else {
            status
        },
        started_at: job.start_time,
        completed_at: None,
        error_message: None,
        rows_synced: job.rows_synced,
        bytes_synced: job.bytes_synced,
        attempts: 1,
    };
    state.registry.job_store(&facts, started_by).await?;
    state.wake.notify_one();
    Ok(())
}

pub(crate) fn is_final(job: &Job) -> bool {
    JobStatus::from_airbyte(&job.status).is_final()
}

pub(crate) fn number(job: &Job) -> i64 {
    job.job_id.parse().unwrap_or(0)
}
