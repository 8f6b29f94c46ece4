//! Running one attempt: both connectors, their four pipes, their ends.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airbyte_protocol::CheckStatus;
use shared::http::problem::chain;
use tokio::io::AsyncRead;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::log::AttemptLog;
use super::plan::Plan;
use super::tracker::Tracker;
use super::{Ended, Outcome, checkpoint};
use crate::actors::Configured;
use crate::connector::process::{Group, Prepared};
use crate::connector::{Connector, Environment, FailureReason, Kind, LineReader, Origin};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::options::ConnectorKind;
use crate::secrets::Redactor;
use crate::store::entities::{connection, job};

/// For pipes to end after their connector has.
const PIPE_GRACE: Duration = Duration::from_secs(5);

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
    let supports_refreshes = destination.definition.supports_refreshes;
    let plan = Plan::new(engine, job, &connection, supports_refreshes).await?;
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

    async fn replicate(&self) -> Result<(Outcome, Vec<FailureReason>), Fault> {
        let (to, from) = match self.prepare().await {
            Ok(prepared) => prepared,
            Err(failure) => return Ok((Outcome::Failed, vec![*failure])),
        };
        let started = self
            .start(&to, from.as_ref())
            .map_err(|source| Fault::File {
                path: self.destination.definition.launch.path(),
                source,
            });
        let (_directories, mut source, mut destination) = started?;
        let groups: Vec<Group> = source
            .iter()
            .chain([&destination])
            .map(Connector::group)
            .collect();
        let mut texts = JoinSet::new();
        for (connector, who, actor) in source
            .iter_mut()
            .map(|source| (source, "source", self.source))
            .chain([(&mut destination, "destination", self.destination)])
        {
            if let Some(stderr) = connector.stderr.take() {
                let (log, redactor) = (self.log.clone(), actor.redactor.clone());
                texts.spawn(async move { log_text(who, stderr, &redactor, &log).await });
            }
        }
        let gone = CancellationToken::new();
        let closed = CancellationToken::new();
        let stdin = destination.stdin.take().expect("taken once");
        let ends = async {
            tokio::join!(
                self.read(
                    source.as_mut(),
                    stdin,
                    &groups[groups.len() - 1],
                    &gone,
                    &closed
                ),
                self.write(&mut destination, &gone, &closed)
            )
        };
        let ended = tokio::select! {
            ended = ends => Some(ended),
            () = self.stopped(&groups) => None,
        };
        while let Ok(Some(_)) = timeout(PIPE_GRACE, texts.join_next()).await {}
        let mut failures = Vec::new();
        if let Some((source, destination)) = ended {
            failures.extend(source);
            failures.extend(destination);
        }
        failures.sort_by_key(|failure| failure.timestamp);
        if self.engine.jobs.stop.is_cancelled() {
            return Ok((Outcome::Interrupted, failures));
        }
        if self.cancel.is_cancelled() {
            let failure = FailureReason::new(
                Origin::Replication,
                Kind::ManualCancellation,
                "Setting attempt to FAILED because the job was cancelled",
            );
            return Ok((Outcome::Cancelled, vec![failure]));
        }
        let outcome = if failures.is_empty() {
            Outcome::Succeeded
        } else {
            Outcome::Failed
        };
        Ok((outcome, failures))
    }

    /// Has both connectors installed; a clear needs no source.
    async fn prepare(&self) -> Result<(Prepared, Option<Prepared>), Box<FailureReason>> {
        let prepare = async |actor: &Configured| {
            let prepared = self.engine.runner.prepare(&actor.definition.launch).await;
            prepared.map_err(|error| {
                let origin = crate::discovery::origin(actor.definition.kind);
                Box::new(FailureReason::new(origin, Kind::SystemError, chain(&error)))
            })
        };
        let to = prepare(self.destination).await?;
        let from = match self.plan.clears {
            true => None,
            false => Some(prepare(self.source).await?),
        };
        Ok((to, from))
    }

    /// Starts the destination, then the source.
    fn start(
        &self,
        destination: &Prepared,
        source: Option<&Prepared>,
    ) -> std::io::Result<(
        Vec<crate::connector::RunDirectory>,
        Option<Connector>,
        Connector,
    )> {
        let runner = &self.engine.runner;
        let start = |actor: &Configured,
                     prepared: &Prepared,
                     verb: &str,
                     catalog: &str,
                     state: Option<&str>| {
            let directory = runner.directory()?;
            let configuration = actor.configuration.to_string();
            let mut args: Vec<OsString> = vec![verb.into()];
            let mut file = |flag: &str, name: &str, text: &str| {
                args.push(flag.into());
                args.push(directory.file(name, text.as_bytes())?.into());
                std::io::Result::Ok(())
            };
            file("--config", "config.json", &configuration)?;
            file("--catalog", "catalog.json", catalog)?;
            if let Some(state) = state {
                file("--state", "state.json", state)?;
            }
            let environment = Environment {
                image: actor.definition.image(),
                job: self.job.id.to_string(),
                attempt: self.number,
            };
            let connector = runner.start(prepared, &directory, &environment, &args)?;
            std::io::Result::Ok((directory, connector))
        };
        let (to, destination) = start(
            self.destination,
            destination,
            "write",
            &self.plan.destination_catalog,
            None,
        )?;
        let Some(source) = source else {
            return Ok((vec![to], None, destination));
        };
        let state = self.plan.state.as_deref();
        let (from, mut source) = start(
            self.source,
            source,
            "read",
            &self.plan.source_catalog,
            state,
        )?;
        drop(source.stdin.take());
        Ok((vec![to, from], Some(source), destination))
    }

    /// Ends when somebody wants the attempt to stop and its connectors had their chance to.
    async fn stopped(&self, groups: &[Group]) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.engine.jobs.stop.cancelled() => {}
        }
        self.log.platform("INFO stopping the connectors");
        groups.iter().for_each(Group::terminate);
        sleep(self.engine.timing.kill_grace).await;
        groups.iter().for_each(Group::kill);
        sleep(PIPE_GRACE).await;
    }

    pub(super) fn stopping(&self) -> bool {
        self.cancel.is_cancelled() || self.engine.jobs.stop.is_cancelled()
    }
}

/// A connector's stderr is log text.
async fn log_text(
    who: &str,
    stderr: impl AsyncRead + Unpin,
    redactor: &Redactor,
    log: &AttemptLog,
) {
    let mut reader = LineReader::of_text(stderr);
    // A broken pipe ends the text, as its writer's end does.
    while let Ok(Some(line)) = reader.next().await {
        log.connector(who, &redactor.clean(&String::from_utf8_lossy(line)));
    }
}
