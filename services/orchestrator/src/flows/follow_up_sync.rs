//! Runs what a heal left to do: refreshes by mode, one job after the other, otherwise a plain sync.
//! Each job is started exactly once, even after a crash: the step's intent records the newest job
//! before it, and a job with a higher number is the one.

use async_trait::async_trait;
use context::error_chain;
use contracts::SyncRequest;
use operations::steps::sync as step;
use operations::{OnError, Operation, Step, StepOutput, StepRunner};
use serde::{Deserialize, Serialize};
use shared::airbyte::types::Job;
use shared::airbyte::{self, ErrorKind, RefreshMode};
use shared::registry;
use shared::registry::entities::{connection, operation, operation_step};
use shared::registry::jobs::StartedBy;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::StepStatus;
use uuid::Uuid;

use super::{Error, late_creates, sync};
use crate::state::State;

/// Delay before retrying while something else runs.
const RETRY: chrono::TimeDelta = chrono::TimeDelta::seconds(2);
/// Number of jobs checked when looking for one that was started.
const NEWEST: usize = 10;

/// The intent of a step.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    /// The newest job before the step.
    after: i64,
    /// The refresh's mode; absent for a plain sync.
    mode: Option<String>,
}

/// A requested sync that this process holds.
struct Starting<'a> {
    state: &'a State,
    lease: &'a Lease,
    row: &'a connection::Model,
    connection: Uuid,
    /// The steps that a previous process recorded.
    earlier: &'a [operation_step::Model],
    request: SyncRequest,
}

/// Starts what remains of an operation, unless something else runs.
pub(super) async fn start(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let registry = &state.registry;
    let row = state.connection(operation.connection_id).await?;
    let connection = match sync::ready(&row) {
        Ok(connection) => connection,
        Err(error) => {
            let message = error_chain(&error);
            registry
                .operation_finish(lease, Ending::failed(&message))
                .await?;
            return Ok(());
        }
    };
    let request: SyncRequest = serde_json::from_str(&operation.request)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let earlier = registry.step_list(operation.id).await?;
    let mut starting = Starting {
        state,
        lease,
        row: &row,
        connection,
        earlier: &earlier,
        request,
    };
    match operations::execute(registry, lease, &mut starting).await? {
        None => registry.operation_release(lease, RETRY).await?,
        Some((_, later)) if later.refresh.is_empty() => {}
        Some((_, later)) => {
            let rest = serde_json::to_string(&later)
                .map_err(|error| registry::Error::Document(error.to_string()))?;
            registry.operation_set_request(lease, &rest).await?;
            registry.operation_release(lease, RETRY).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Operation for Starting<'_> {
    /// The job that was started, with the remaining request; none while another job runs.
    type Output = Option<(String, SyncRequest)>;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<Self::Output, Error> {
        let started = self.next(&self.request).await?;
        if let Some((job_id, later)) = &started
            && later.refresh.is_empty()
        {
            let result = serde_json::json!({ "job_id": job_id }).to_string();
            let ending = Ending::succeeded(Some(&result));
            run.registry.operation_finish(run.lease, ending).await?;
        }
        Ok(started)
    }

    async fn on_error(&self, _run: StepRunner<'_>, _error: &Error) -> OnError {
        OnError::Resume(Some(RETRY))
    }
}

impl Starting<'_> {
    /// Starts the next job; returns it with the remaining request, or `None` while another job
    /// runs.
    async fn next(&self, request: &SyncRequest) -> Result<Option<(String, SyncRequest)>, Error> {
        let Some((_, mode)) = request.refresh.first() else {
            let job = self.once(step::START_SYNC, None, self.sync()).await?;
            return Ok(job.map(|job| (job, SyncRequest::default())));
        };
        // A refresh job has one mode; the streams of the other mode wait for the next turn.
        let (now, later): (Vec<_>, Vec<_>) =
            (request.refresh.iter().cloned()).partition(|(_, other)| other == mode);
        let streams: Vec<_> = now.into_iter().map(|(stream, _)| stream).collect();
        let mode = match mode {
            catalog::plan::RefreshMode::Merge => RefreshMode::Merge,
            catalog::plan::RefreshMode::Truncate => RefreshMode::Truncate,
        };
        let refresh = async {
            let response = self
                .state
                .airbyte
                .connection_refresh(self.connection, mode, &streams);
            let Some(job_id) = response.await? else {
                // The destination cannot refresh: the new columns are filled from now on.
                return self.sync().await;
            };
            let job = self.state.airbyte.job_get(&job_id).await?;
            self.record(&job).await?;
            tracing::info!(
                connection.id = %self.row.id,
                job.id = %job_id,
                "started refresh job {job_id}"
            );
            Ok(job_id)
        };
        let started = self
            .once(step::START_REFRESH, Some(mode), Box::pin(refresh))
            .await;
        match started {
            Ok(job) => Ok(job.map(|job| (job, SyncRequest { refresh: later }))),
            Err(Error::Airbyte(airbyte::Error {
                kind: ErrorKind::Conflict { .. },
                ..
            })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The job that this step starts, or that it started before its process crashed; none while
    /// another one runs.
    async fn once(
        &self,
        step: Step,
        mode: Option<RefreshMode>,
        start: impl Future<Output = Result<String, Error>>,
    ) -> Result<Option<String>, Error> {
        let mode = mode.map(|mode| mode.as_str().to_owned());
        if let Some(job) = self.started_job(step, mode.as_deref()).await? {
            return Ok(Some(job));
        }
        let newest = self.newest_jobs().await?.into_iter().next();
        if newest.as_ref().is_some_and(|job| !sync::is_final(job)) {
            return Ok(None);
        }
        let after = newest.as_ref().map_or(0, sync::number);
        let intent = serde_json::to_string(&Intent { after, mode })
            .map_err(|error| registry::Error::Document(error.to_string()))?;
        let run = StepRunner {
            registry: &self.state.registry,
            lease: self.lease,
        };
        let act = async {
            let job = start.await?;
            Ok(StepOutput::with_reference(job.clone(), job))
        };
        Ok(Some(run.step(step, &intent, act).await?))
    }

    /// The job that an earlier process started in this step.
    async fn started_job(&self, step: Step, mode: Option<&str>) -> Result<Option<String>, Error> {
        let intent = |row: &operation_step::Model| -> Option<Intent> {
            serde_json::from_str(row.intent.as_deref()?).ok()
        };
        let same = self.earlier.iter().filter(|row| {
            row.step == step.name && intent(row).is_some_and(|i| i.mode.as_deref() == mode)
        });
        // By attempt number: the clocks of the processes may differ.
        let last = same.max_by_key(|row| row.attempt);
        let Some((row, intent)) = last.and_then(|row| Some((row, intent(row)?))) else {
            return Ok(None);
        };
        match row.status {
            StepStatus::Done => Ok(row.external_ref.clone()),
            StepStatus::Intended => {
                // A sync that Airbyte's own schedule started reads everything too; only AAM starts
                // refreshes.
                let is_ours = |job: &Job| {
                    sync::number(job) > intent.after
                        && (job.job_type == "refresh" || mode.is_none() && job.job_type == "sync")
                };
                let found = late_creates::look_for(|| async {
                    Ok(self.newest_jobs().await?.into_iter().find(is_ours))
                });
                let Some(job) = found.await? else {
                    return Ok(None);
                };
                self.record(&job).await?;
                let (done, id) = (StepStatus::Done, Some(job.job_id.as_str()));
                self.state
                    .registry
                    .step_end(self.lease, step.name, done, id, None)
                    .await?;
                Ok(Some(job.job_id))
            }
            StepStatus::Failed | StepStatus::Undone => Ok(None),
        }
    }

    async fn sync(&self) -> Result<String, Error> {
        let started = Box::pin(sync::start(self.state.clone(), self.row.id));
        Ok(started.await?.job_id)
    }

    async fn record(&self, job: &Job) -> Result<(), Error> {
        sync::record(self.state, self.row.id, job, Some(StartedBy::Aam)).await
    }

    async fn newest_jobs(&self) -> Result<Vec<Job>, airbyte::Error> {
        self.state
            .airbyte
            .job_list_newest(self.connection, NEWEST)
            .await
    }
}
