//! Starts a sync, or none if one is already running.

use std::time::Duration;

use context::error_chain;
use contracts::{ErrorCode, SyncStatus, SyncTriggered};
use operations::steps::trigger as step;
use operations::{StepOutput, StepRunner};
use serde_json::Value;
use shared::airbyte::types::Job;
use shared::airbyte::{self, ErrorKind};
use shared::registry::changes::DELETING;
use shared::registry::entities::{connection, operation};
use shared::registry::jobs::{JobFacts, StartedBy};
use shared::registry::lease_renewer::LeaseRenewer;
use shared::registry::operations::{Ending, Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, JobStatus, OperationKind, OperationStatus};
use shared::registry::{self, Conflict};
use uuid::Uuid;

use super::{Error, late_creates};
use crate::state::State;

/// How long a caller waits for a trigger elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum number of attempts while Airbyte reports a running job and none is running.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

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
        return execute(&state, &row, &lease, None).await;
    }
}

/// Waits for the trigger elsewhere; returns the resulting job.
async fn triggered_by_another(state: &State, id: Uuid) -> Result<Option<Job>, Error> {
    let open = state
        .registry
        .operation_open(id, OperationKind::Trigger)
        .await?;
    let Some(open) = open else {
        return Ok(None);
    };
    let started = tokio::time::Instant::now();
    while started.elapsed() < PATIENCE {
        let now = state.registry.operation_get(open.id).await?;
        let Some(now) = now.filter(|operation| operation.status != OperationStatus::Running) else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let result: Option<Value> = now
            .result
            .as_deref()
            .and_then(|r| serde_json::from_str(r).ok());
        let job_id = result.as_ref().and_then(|result| result["job_id"].as_str());
        return match job_id {
            Some(job_id) => Ok(Some(state.airbyte.job_get(job_id).await?)),
            None => Ok(None),
        };
    }
    Ok(None)
}

/// Resumes a trigger whose process stopped.
pub(crate) async fn recover(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let row = state.connection(lease.connection_id).await?;
    let steps = state.registry.step_list(operation.id).await?;
    let highest = steps
        .iter()
        .find(|started| started.step == step::START_JOB.name)
        .and_then(|started| started.intent.as_deref()?.parse().ok());
    match execute(state, &row, lease, highest).await {
        // It was completed, successfully or not.
        Err(error) if !error.is_transient() => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Runs a trigger's steps; `before` is the newest job before a process that stopped may have
/// started one.
async fn execute(
    state: &State,
    row: &connection::Model,
    lease: &Lease,
    before: Option<i64>,
) -> Result<SyncTriggered, Error> {
    let keeper = LeaseRenewer::start(state.registry.clone(), lease.clone());
    let started = run_steps(state, row, lease, before).await;
    drop(keeper);
    let ended = match &started {
        Ok(started) => {
            let is_new = started.status == SyncStatus::Triggered;
            state
                .registry
                .trigger_succeed(lease, &started.job_id, is_new)
                .await
        }
        Err(error) => {
            let ending = error_chain(error);
            state
                .registry
                .operation_finish(lease, Ending::failed(&ending))
                .await
        }
    };
    if let Err(error) = ended {
        tracing::warn!(operation.id = %lease.operation_id, %error, "failed to end an operation");
    }
    started
}

async fn run_steps(
    state: &State,
    row: &connection::Model,
    lease: &Lease,
    before: Option<i64>,
) -> Result<SyncTriggered, Error> {
    let run = StepRunner {
        registry: &state.registry,
        lease,
    };
    let airbyte_id = ready(row)?;
    if let Some(before) = before {
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
