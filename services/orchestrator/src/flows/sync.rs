//! Starting a sync: one, or none when one runs already.

use std::time::Duration;

use contracts::{ErrorCode, SyncStatus, SyncTriggered};
use shared::airbyte::types::Job;
use shared::airbyte::{self, ErrorKind};
use shared::registry::entities::connection;
use shared::registry::jobs::JobFacts;
use shared::registry::status::{ConnectionStatus, JobStatus};
use uuid::Uuid;

use super::{Error, settle};
use crate::state::State;

/// How often a trigger is tried while Airbyte says that a job runs and none does.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

/// Starts a sync of the connection, or attaches to the sync or refresh that runs.
pub(crate) async fn start(state: State, id: Uuid) -> Result<SyncTriggered, Error> {
    let row = state.own_connection(id).await?;
    let airbyte_id = ready(&row)?;
    let newest = state
        .airbyte
        .job_list_newest(airbyte_id, 1)
        .await?
        .into_iter()
        .next();
    if let Some(job) = newest.as_ref().filter(|job| !is_final(job)) {
        return attach(&state, &row, job).await;
    }
    let highest = newest.as_ref().map_or(0, number);
    let job = trigger(&state, airbyte_id, highest).await?;
    match job {
        Triggered::Now(job) => {
            record(&state, row.id, &job).await?;
            Ok(triggered(row.id, job))
        }
        // It may be another caller's: then that one has most likely recorded it.
        Triggered::Perhaps(job) => match record(&state, row.id, &job).await? {
            true => Ok(triggered(row.id, job)),
            false => attach(&state, &row, &job).await,
        },
        Triggered::Before(job) => attach(&state, &row, &job).await,
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
        (ConnectionStatus::Healing, _) => refuse("is being healed; a sync follows by itself"),
        (ConnectionStatus::Inactive, _) => refuse("is switched off"),
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
    /// Found after a trigger whose answer was lost.
    Perhaps(Job),
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
                // It ended in between: once more.
                if tries_left == 0 {
                    return Err(error.into());
                }
                tokio::time::sleep(PAUSE).await;
            }
            ErrorKind::Conflict { problem, said } if problem == "state-conflict" => {
                return Err(Error::refused(
                    ErrorCode::ConnectionInactive,
                    format!(
                        "Airbyte does not run it: {said}; it may have been switched off by drift, which a heal repairs"
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

/// After a time-out: a sync with a higher number than any before is the one.
async fn find_started(
    state: &State,
    connection: Uuid,
    highest: i64,
    error: airbyte::Error,
) -> Result<Triggered, Error> {
    let ours = settle::look_for(|| async {
        let newest = state.airbyte.job_list_newest(connection, 10).await?;
        Ok(newest
            .into_iter()
            .find(|job| job.job_type == "sync" && number(job) > highest))
    });
    Ok(Triggered::Perhaps(ours.await?.ok_or(error)?))
}

async fn attach(state: &State, row: &connection::Model, job: &Job) -> Result<SyncTriggered, Error> {
    if matches!(job.job_type.as_str(), "reset" | "clear") {
        return Err(Error::refused(
            ErrorCode::JobRunning,
            format!(
                "job {} is clearing the connection's data; sync when it has ended",
                job.job_id
            ),
        ));
    }
    record(state, row.id, job).await?;
    Ok(SyncTriggered {
        connection_id: row.id,
        job_id: job.job_id.clone(),
        status: SyncStatus::Attached,
        message: format!("Job {} is already running", job.job_id),
    })
}

/// Stores a job as Airbyte tells it, and wakes the worker that follows it; answers whether nobody
/// knew of it before.
pub(crate) async fn record(state: &State, connection_id: Uuid, job: &Job) -> Result<bool, Error> {
    let status = JobStatus::from_airbyte(&job.status);
    let facts = JobFacts {
        connection_id,
        airbyte_job_id: job.job_id.clone(),
        job_type: job.job_type.clone(),
        // A final state is only stored together with what the attempts tell.
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
    let first = state.registry.job_record(&facts).await?;
    state.wake.notify_one();
    Ok(first)
}

pub(crate) fn is_final(job: &Job) -> bool {
    JobStatus::from_airbyte(&job.status).is_final()
}

fn number(job: &Job) -> i64 {
    job.job_id.parse().unwrap_or(0)
}
