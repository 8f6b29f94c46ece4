//! Running one attempt, from its checks to the record of how it ended.

use std::sync::{Arc, Mutex};

use airbyte_protocol::CheckStatus;
use tokio_util::sync::CancellationToken;

use super::log::AttemptLog;
use super::plan::Plan;
use super::tracker::Tracker;
use super::{Ended, Outcome, checkpoint};
use crate::actors::Configured;
use crate::connector::{FailureReason, Kind, Origin};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::options::ConnectorKind;
use crate::store::entities::{connection, job};

/// Runs attempt `number` of a job. States are kept also when it fails.
pub(crate) async fn attempt(
    engine: &Engine,
    job: &job::Model,
    number: i32,
    cancel: &CancellationToken,
    progress: &Mutex<Option<Arc<Tracker>>>,
) -> Result<Ended, Fault> {
    let connection = engine.connection(job.connection_id).await?;
    let source = engine
        .configured(ConnectorKind::Source, connection.source_id)
        .await?;
    let destination = engine
        .configured(ConnectorKind::Destination, connection.destination_id)
        .await?;
    let launch = &destination.definition.launch;
    let knows = (
        destination.definition.supports_refreshes,
        engine.runner.keeps_states(launch),
    );
    let plan = Plan::new(engine, job, number, &connection, knows).await?;
    let pairs = plan.streams.iter();
    let tracker =
        Arc::new(Tracker::new(pairs.map(|stream| {
            (stream.source.clone(), stream.destination.clone())
        })));
    *progress.lock().unwrap_or_else(|e| e.into_inner()) = Some(tracker.clone());
    let log = AttemptLog::create(&engine.logs, job.id, number).map_err(|source| Fault::File {
        path: engine.logs.clone(),
        source,
    })?;
    let log = Arc::new(log);
    log.platform(&format!("INFO job {} attempt {number} starts", job.id));
    let run = Run {
        engine,
        job,
        number,
        cancel,
        plan: &plan,
        tracker: &tracker,
        log: &log,
        source: &source,
        destination: &destination,
    };
    let mut failures = run.failed_checks(&connection).await?;
    let mut outcome = Outcome::Failed;
    if failures.is_empty() {
        (outcome, failures) = run.replicate().await?;
    }
    if outcome == Outcome::Succeeded {
        tracker.finish();
    }
    if let Err(fault) = checkpoint::write(engine, job, number, &tracker).await {
        let text = "the states of the sync cannot be kept; what it wrote is read again";
        failures.push(
            FailureReason::new(Origin::AirbytePlatform, Kind::SystemError, text)
                .with_internal(fault.chain()),
        );
        if outcome == Outcome::Succeeded {
            outcome = Outcome::Failed;
        }
    }
    for failure in &failures {
        log.platform(&format!("ERROR {}", failure.external_message));
    }
    log.platform(&format!(
        "INFO job {} attempt {number}: {outcome:?}",
        job.id
    ));
    Ok(Ended {
        outcome,
        failures,
        stats: tracker.stats(),
    })
}

/// What the parts of an attempt share.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) job: &'a job::Model,
    pub(super) number: i32,
    pub(super) cancel: &'a CancellationToken,
    pub(super) plan: &'a Plan,
    pub(super) tracker: &'a Tracker,
    pub(super) log: &'a Arc<AttemptLog>,
    pub(super) source: &'a Configured,
    pub(super) destination: &'a Configured,
}

impl Run<'_> {
    /// Checks both ends when something failed before; answers what is wrong with them.
    async fn failed_checks(
        &self,
        connection: &connection::Model,
    ) -> Result<Vec<FailureReason>, Fault> {
        let before = self
            .engine
            .job_before(connection.id, self.job.id)
            .await?
            .is_some_and(|job| job.status == "failed");
        let mut failures = Vec::new();
        if self.number == 0 && !before {
            return Ok(failures);
        }
        for actor in [self.source, self.destination] {
            if self.plan.clears && actor.definition.kind == ConnectorKind::Source {
                continue;
            }
            let checked = tokio::select! {
                () = self.cancel.cancelled() => return Ok(failures),
                () = self.engine.jobs.stop.cancelled() => return Ok(failures),
                checked = self.engine.check_configured(actor) => checked?,
            };
            let origin = crate::discovery::origin(actor.definition.kind);
            match checked.verdict {
                Some(verdict) if verdict.status == CheckStatus::Failed => {
                    let why = verdict.message.unwrap_or_default();
                    let text = format!("Checking the {} failed: {why}", actor.row.kind);
                    let failure = checked
                        .job
                        .failure
                        .unwrap_or_else(|| FailureReason::new(origin, Kind::ConfigError, text));
                    failures.push(failure);
                }
                Some(_) => {}
                None => failures.extend(checked.job.failure),
            }
        }
        Ok(failures)
    }

    /// Whether the attempt was requested to stop.
    pub(super) fn stopping(&self) -> bool {
        self.cancel.is_cancelled() || self.engine.jobs.stop.is_cancelled()
    }
}
