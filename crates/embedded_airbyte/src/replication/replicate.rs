//! Both connectors of an attempt: started, stopped, and whether what they did is a success.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::time::Duration;

use airbyte_protocol::Line;
use context::error_chain;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::attempt::Run;
use super::feed::Rest;
use super::log::AttemptLog;
use super::plan::saved_state;
use super::write::DestinationLines;
use crate::actors::Configured;
use crate::connector::process::{Group, Prepared, describe};
use crate::connector::{
    Connector, Environment, FailureReason, Kind, LineReader, Origin, RunDirectory,
};
use crate::fault::Fault;
use crate::secrets::Redactor;

/// For pipes to end after their connector has.
const PIPE_GRACE: Duration = Duration::from_secs(5);

/// The lines of a destination.
pub(super) type Answers = LineReader<tokio::process::ChildStdout>;

/// How a destination's input ended.
pub(super) struct Given {
    pub(super) failures: Vec<FailureReason>,
    /// Whether it was given everything that the source sent, and what belongs at the end.
    pub(super) whole: bool,
    /// What it did not read of it.
    pub(super) rest: Rest,
}

/// How a destination's output ended.
pub(super) struct Taken {
    pub(super) failures: Vec<FailureReason>,
    /// Its exit, unless it had to be made to.
    pub(super) status: Option<ExitStatus>,
}

impl Run<'_> {
    pub(super) async fn replicate(&self) -> Result<(Outcome, Vec<FailureReason>), Fault> {
        let (to, from) = match self.prepare().await {
            Ok(prepared) => prepared,
            Err(failure) => return Ok((Outcome::Failed, vec![*failure])),
        };
        let mut texts = JoinSet::new();
        let (_directory, mut destination) = self.start_destination(&to)?;
        self.log_stderr(&mut texts, self.destination, &mut destination);
        let mut heard = DestinationLines {
            tracker: self.tracker,
            log: self.log,
            redactor: &self.destination.redactor,
            failures: Vec::new(),
        };
        let mut answers = LineReader::new(destination.stdout.take().expect("taken once"));
        if self.plan.marking.is_some() {
            let failed = self
                .go_on(&mut destination, &mut answers, &mut heard)
                .await?;
            if let Some(failures) = failed {
                drain(&mut texts).await;
                return Ok(self.outcome(false, failures));
            }
        }
        let (_directory, mut source) = match &from {
            Some(from) => {
                let (directory, source) = self.start_source(from).await?;
                (Some(directory), Some(source))
            }
            None => (None, None),
        };
        if let Some(source) = &mut source {
            self.log_stderr(&mut texts, self.source, source);
        }
        let (from, to) = (source.as_ref().map(Connector::group), destination.group());
        let (gone, closed) = (CancellationToken::new(), CancellationToken::new());
        let stdin = destination.stdin.take().expect("taken once");
        let ends = async {
            tokio::join!(
                self.read(source.as_mut(), stdin, &to, &gone, &closed),
                self.write(&mut destination, answers, heard, &gone)
            )
        };
        let ended = tokio::select! {
            ended = ends => Some(ended),
            () = self.stopped(from, &to, &closed) => None,
        };
        drain(&mut texts).await;
        let Some((given, taken)) = ended else {
            return Ok(self.outcome(false, Vec::new()));
        };
        let (delivered, failures) = self.judge(given, taken);
        Ok(self.outcome(delivered, failures))
    }

    /// Whether everything was delivered, by what is known once both connectors have ended, and what
    /// failed.
    fn judge(&self, given: Given, taken: Taken) -> (bool, Vec<FailureReason>) {
        let mut failures = given.failures;
        failures.extend(taken.failures);
        failures.sort_by_key(|failure| failure.timestamp);
        let unread = !given.whole || given.rest.is_there();
        let unacknowledged = self.tracker.unacknowledged();
        let exited_well = taken.status.is_some_and(|status| status.success());
        let delivered = failures.is_empty() && exited_well && !unread && unacknowledged == 0;
        let reported = failures
            .iter()
            .any(|failure| failure.failure_origin == Origin::Destination);
        let text = match taken.status {
            _ if reported || delivered || self.stopping() => None,
            Some(status) if !status.success() => {
                Some(format!("the destination {}", describe(status)))
            }
            _ if !failures.is_empty() => None,
            _ if unread => Some("the destination ended before its input did".to_owned()),
            _ => Some(format!(
                "the destination ended without acknowledging {unacknowledged} states"
            )),
        };
        failures.extend(
            text.map(|text| FailureReason::new(Origin::Destination, Kind::SystemError, text)),
        );
        (delivered, failures)
    }

    /// The outcome of an attempt. What was delivered stays delivered, even if a stop is requested
    /// now.
    fn outcome(
        &self,
        delivered: bool,
        failures: Vec<FailureReason>,
    ) -> (Outcome, Vec<FailureReason>) {
        if delivered {
            return (Outcome::Succeeded, failures);
        }
        if self.engine.jobs.stop.is_cancelled() {
            return (Outcome::Interrupted, failures);
        }
        if self.cancel.is_cancelled() {
            let failure = FailureReason::new(
                Origin::Replication,
                Kind::ManualCancellation,
                "Setting attempt to FAILED because the job was cancelled",
            );
            return (Outcome::Cancelled, vec![failure]);
        }
        (Outcome::Failed, failures)
    }

    /// Takes over what the destination has committed, before the source starts. Answers what
    /// failed, nothing of which may be because of a stop.
    async fn go_on(
        &self,
        destination: &mut Connector,
        answers: &mut Answers,
        heard: &mut DestinationLines<'_>,
    ) -> Result<Option<Vec<FailureReason>>, Fault> {
        let committed = tokio::select! {
            committed = self.committed(answers, heard) => committed,
            () = self.asked_to_stop() => {
                self.stop(destination).await;
                return Ok(Some(Vec::new()));
            }
        };
        let committed = match committed {
            Ok(Some(committed)) => committed,
            Ok(None) => {
                let mut failures = std::mem::take(&mut heard.failures);
                let status = timeout(self.engine.timing.destination_grace, destination.wait());
                let text = match status.await {
                    Ok(Ok(status)) => format!("the destination {}", describe(status)),
                    _ => "the destination closed its output and did not exit".to_owned(),
                };
                self.stop(destination).await;
                if failures.is_empty() {
                    let kind = Kind::SystemError;
                    failures.push(FailureReason::new(Origin::Destination, kind, text));
                }
                return Ok(Some(failures));
            }
            Err(failure) => {
                self.stop(destination).await;
                return Ok(Some(vec![*failure]));
            }
        };
        if let Some(marking) = &self.plan.marking {
            let (connection, streams) = (self.job.connection_id, &self.plan.streams);
            let taken = marking.take_over(self.engine, connection, streams, &committed);
            let differing = taken.await?;
            if differing > 0 {
                self.log.platform(&format!(
                    "INFO the destination has committed {differing} states that were not stored; the \
                     sync continues from them"
                ));
            }
        }
        Ok(None)
    }

    /// The states that the destination has committed; nothing when it ended without a word.
    async fn committed(
        &self,
        answers: &mut Answers,
        heard: &mut DestinationLines<'_>,
    ) -> Result<Option<Vec<Box<RawValue>>>, Box<FailureReason>> {
        let mut committed = Vec::new();
        let patience = self.engine.timing.destination_blocked;
        loop {
            let line = match timeout(patience, answers.next()).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => {
                    let text = format!("reading the destination's output: {error}");
                    let kind = Kind::SystemError;
                    return Err(Box::new(FailureReason::new(
                        Origin::Destination,
                        kind,
                        text,
                    )));
                }
                Err(_) => {
                    let text = format!("the destination was not ready to read within {patience:?}");
                    let kind = Kind::DestinationTimeout;
                    return Err(Box::new(FailureReason::new(
                        Origin::Destination,
                        kind,
                        text,
                    )));
                }
            };
            match Line::parse(line) {
                Some(message) if message.kind == "READY" => return Ok(Some(committed)),
                Some(Line {
                    state: Some(state), ..
                }) => committed.push(state.to_owned()),
                // A native destination changes no configuration.
                _ => drop(heard.take(line)),
            }
        }
    }

    /// Has both connectors installed; a clear needs no source.
    async fn prepare(&self) -> Result<(Prepared, Option<Prepared>), Box<FailureReason>> {
        let prepare = async |actor: &Configured| {
            let prepared = self.engine.runner.prepare(&actor.definition.launch).await;
            prepared.map_err(|error| {
                let origin = crate::discovery::origin(actor.definition.kind);
                Box::new(FailureReason::new(
                    origin,
                    Kind::SystemError,
                    error_chain(&error),
                ))
            })
        };
        let to = prepare(self.destination).await?;
        let from = match self.plan.clears {
            true => None,
            false => Some(prepare(self.source).await?),
        };
        Ok((to, from))
    }

    /// Starts the destination.
    fn start_destination(&self, prepared: &Prepared) -> Result<(RunDirectory, Connector), Fault> {
        let keeps = self.plan.marking.is_some();
        let connection = keeps.then(|| self.job.connection_id.to_string());
        let catalog = &self.plan.destination_catalog;
        let mut more: Vec<OsString> = Vec::new();
        if let Some(id) = connection {
            more.extend(["--connection".into(), id.into()]);
        }
        self.start(
            self.destination,
            prepared,
            "write",
            &[("catalog", catalog)],
            more,
        )
    }

    /// Starts the source, from the states that are stored.
    async fn start_source(&self, prepared: &Prepared) -> Result<(RunDirectory, Connector), Fault> {
        let (connection, streams) = (self.job.connection_id, &self.plan.streams);
        let state = saved_state(self.engine, connection, streams).await?;
        let mut files = vec![("catalog", self.plan.source_catalog.as_str())];
        if let Some(state) = &state {
            files.push(("state", state));
        }
        let (directory, mut source) =
            self.start(self.source, prepared, "read", &files, Vec::new())?;
        drop(source.stdin.take());
        Ok((directory, source))
    }

    fn start(
        &self,
        actor: &Configured,
        prepared: &Prepared,
        verb: &str,
        files: &[(&str, &str)],
        more: Vec<OsString>,
    ) -> Result<(RunDirectory, Connector), Fault> {
        let runner = &self.engine.runner;
        let starting = || {
            let directory = runner.directory()?;
            let configuration = actor.configuration.to_string();
            let mut args: Vec<OsString> = vec![verb.into()];
            for (name, text) in [("config", configuration.as_str())].iter().chain(files) {
                args.push(format!("--{name}").into());
                let file = directory.file(&format!("{name}.json"), text.as_bytes())?;
                args.push(file.into());
            }
            args.extend(more);
            let environment = Environment {
                image: actor.definition.image(),
                job: self.job.id.to_string(),
                attempt: self.number,
            };
            let connector = runner.start(prepared, &directory, &environment, &args)?;
            std::io::Result::Ok((directory, connector))
        };
        starting().map_err(|source| Fault::File {
            path: actor.definition.launch.path(),
            source,
        })
    }

    fn log_stderr(&self, texts: &mut JoinSet<()>, actor: &Configured, connector: &mut Connector) {
        let Some(stderr) = connector.stderr.take() else {
            return;
        };
        let (log, redactor) = (self.log.clone(), actor.redactor.clone());
        let who = actor.definition.kind.as_str();
        texts.spawn(async move { log_text(who, stderr, &redactor, &log).await });
    }

    async fn asked_to_stop(&self) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.engine.jobs.stop.cancelled() => {}
        }
    }

    /// Stops an attempt on request: the source ends first; the destination reads the rest of its
    /// input, commits what states cover and acknowledges it. Kills them only if they take too long.
    async fn stopped(
        &self,
        source: Option<Group>,
        destination: &Group,
        closed: &CancellationToken,
    ) {
        self.asked_to_stop().await;
        self.log.platform("INFO stopping the connectors");
        let grace = self.engine.timing.kill_grace;
        if let Some(source) = source {
            source.terminate();
            if timeout(grace, closed.cancelled()).await.is_err() {
                source.kill();
            }
        }
        if timeout(grace, closed.cancelled()).await.is_ok() {
            sleep(grace).await;
        }
        self.log.platform("WARN the destination takes too long");
        destination.terminate();
        sleep(PIPE_GRACE.min(grace)).await;
        destination.kill();
        sleep(PIPE_GRACE).await;
    }
}

async fn drain(texts: &mut JoinSet<()>) {
    while let Ok(Some(_)) = timeout(PIPE_GRACE, texts.join_next()).await {}
}

/// A connector's stderr is log text.
async fn log_text(
    who: &str,
    stderr: impl tokio::io::AsyncRead + Unpin,
    redactor: &Redactor,
    log: &AttemptLog,
) {
    let mut reader = LineReader::of_text(stderr);
    // A broken pipe ends the text, as its writer's end does.
    while let Ok(Some(line)) = reader.next().await {
        log.connector(who, &redactor.clean(&String::from_utf8_lossy(line)));
    }
}
