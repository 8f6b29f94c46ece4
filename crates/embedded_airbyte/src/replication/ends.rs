//! The two ends of an attempt: what the source emits for the destination, and what the destination
//! answers.

use tokio::process::ChildStdin;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::attempt::Run;
use super::checkpoint;
use super::feed::{Fed, Feed};
use super::replicate::{Answers, Given, Taken};
use super::source::{Asked, SourceLines};
use super::write::DestinationLines;
use crate::actors::Configured;
use crate::connector::process::{Group, describe};
use crate::connector::{Connector, FailureReason, Kind, LinesAhead, Origin};
use crate::fault::Fault;

/// Bytes gathered for the destination before they are written.
const OUTPUT_LEN: usize = 64 * 1024;

impl Run<'_> {
    /// Source to destination, then the destination's end of input.
    pub(super) async fn read(
        &self,
        source: Option<&mut Connector>,
        stdin: ChildStdin,
        destination: &Group,
        gone: &CancellationToken,
        closed: &CancellationToken,
    ) -> Given {
        let redactor = &self.source.redactor;
        let mut lines = SourceLines::new(self.plan, self.tracker, self.log, redactor);
        let mut feed = Feed::new(stdin, self.engine.timing.destination_blocked);
        let mut failures = Vec::new();
        let mut output = Vec::with_capacity(2 * OUTPUT_LEN);
        let (mut blocked, mut ended) = (false, source.is_none());
        if let Some(source) = source {
            let pumped = self
                .pump(source, &mut lines, &mut output, &mut feed, gone)
                .await;
            failures.append(&mut lines.failures);
            match pumped {
                Pumped::Ended => {
                    ended = true;
                    failures.extend(self.exit(source, failures.is_empty()).await);
                }
                Pumped::Failed(reason) => {
                    failures.push(*reason);
                    self.stop(source).await;
                }
                // The destination's own end gives the reason.
                Pumped::DestinationGone => self.stop(source).await,
                Pumped::DestinationBlocked => {
                    blocked = true;
                    self.stop(source).await;
                }
            }
            if matches!(failures.first(), Some(first) if first.failure_origin == Origin::Source) {
                self.log
                    .platform("WARN the source failed, what it sent is kept");
            }
        }
        // A source that was stopped has not sent everything.
        let mut whole = ended && failures.is_empty() && !self.stopping();
        if whole && let Err(reason) = lines.end(&mut output) {
            failures.push(*reason);
            whole = false;
        }
        if !blocked {
            match feed.give(&output).await {
                Fed::All => {}
                // Its own end gives the reason.
                Fed::Gone => whole = false,
                Fed::Blocked => blocked = true,
            }
        }
        if blocked {
            whole = false;
            failures.push(self.blocked());
            self.log
                .platform("ERROR stopping the destination, it takes nothing any more");
            destination.terminate();
            sleep(self.engine.timing.kill_grace).await;
            destination.kill();
        }
        let rest = feed.close();
        closed.cancel();
        Given {
            failures,
            whole,
            rest,
        }
    }

    async fn pump(
        &self,
        source: &mut Connector,
        lines: &mut SourceLines<'_>,
        output: &mut Vec<u8>,
        feed: &mut Feed,
        gone: &CancellationToken,
    ) -> Pumped {
        let mut reader = LinesAhead::new(source.stdout.take().expect("taken once"));
        let mut exited = false;
        let silence = self.engine.timing.source_silence;
        loop {
            let mut full = false;
            while let Some(line) = reader.ready() {
                match lines.take(line, output) {
                    Asked::Nothing => {}
                    Asked::Store(configuration) => {
                        if let Err(reason) = self.store(self.source, &configuration).await {
                            return Pumped::Failed(reason);
                        }
                    }
                    Asked::Fail(reason) => return Pumped::Failed(reason),
                }
                full = output.len() >= OUTPUT_LEN;
                if full {
                    break;
                }
            }
            // What was read is passed on before waiting for more.
            match feed.give(output).await {
                Fed::All => output.clear(),
                Fed::Gone => return Pumped::DestinationGone,
                Fed::Blocked => {
                    // The rest has no receiver.
                    output.clear();
                    return Pumped::DestinationBlocked;
                }
            }
            if full {
                continue;
            }
            if reader.ended() {
                return Pumped::Ended;
            }
            let filled = tokio::select! {
                biased;
                () = gone.cancelled() => return Pumped::DestinationGone,
                filled = reader.fill() => filled,
                // Its status is asked for again at the end. What it wrote is still in the pipe.
                _ = source.wait(), if !exited => {
                    exited = true;
                    continue;
                }
                () = sleep(silence) => {
                    let text = format!("the source has sent nothing for {silence:?}");
                    let reason = FailureReason::new(Origin::Source, Kind::HeartbeatTimeout, text);
                    return Pumped::Failed(Box::new(reason));
                }
            };
            if let Err(error) = filled {
                let text = format!("reading the source's output: {error}");
                return Pumped::Failed(Box::new(failure(Origin::Source, text)));
            }
        }
    }

    /// Waits for a source whose output has ended; returns what is wrong with its end.
    /// `unexplained`: whether it has not reported a failure itself.
    async fn exit(&self, source: &mut Connector, unexplained: bool) -> Option<FailureReason> {
        let grace = self.engine.timing.destination_grace;
        match timeout(grace, source.wait()).await {
            Ok(Ok(status)) if status.success() || self.stopping() => None,
            Ok(Ok(status)) => {
                let text = format!("the source {}", describe(status));
                unexplained.then(|| failure(Origin::Source, text))
            }
            Ok(Err(error)) => {
                let text = format!("waiting for the source: {error}");
                Some(failure(Origin::Replication, text))
            }
            Err(_) => {
                self.stop(source).await;
                let text = "the source closed its output and did not exit";
                Some(failure(Origin::Source, text.to_owned()))
            }
        }
    }

    /// Destination's echoes, until its end.
    pub(super) async fn write(
        &self,
        destination: &mut Connector,
        answers: Answers,
        mut lines: DestinationLines<'_>,
        gone: &CancellationToken,
    ) -> Taken {
        let broken = self.echoes(destination, answers, &mut lines).await;
        gone.cancel();
        let mut failures = lines.failures;
        if let Some(reason) = broken {
            failures.push(*reason);
            self.stop(destination).await;
            return Taken {
                failures,
                status: None,
            };
        }
        let grace = self.engine.timing.destination_grace;
        let status = match timeout(grace, destination.wait()).await {
            Ok(Ok(status)) => Some(status),
            Ok(Err(error)) => {
                let text = format!("waiting for the destination: {error}");
                failures.push(failure(Origin::Replication, text));
                None
            }
            Err(_) => {
                self.stop(destination).await;
                let text = "the destination closed its output and did not exit";
                failures.push(failure(Origin::Destination, text.to_owned()));
                None
            }
        };
        Taken { failures, status }
    }

    /// Reads a destination's lines to their end and keeps its echoes; answers why that cannot go
    /// on.
    async fn echoes(
        &self,
        destination: &mut Connector,
        mut reader: Answers,
        lines: &mut DestinationLines<'_>,
    ) -> Option<Box<FailureReason>> {
        let mut tick = interval(self.engine.timing.checkpoint);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        let mut exited = false;
        loop {
            let line = tokio::select! {
                line = reader.next() => line,
                // Processes that hold its pipe open end with it; what it wrote is still read.
                _ = destination.wait(), if !exited => {
                    exited = true;
                    continue;
                }
                _ = tick.tick() => {
                    if self.tracker.take_changed() {
                        self.checkpoint().await;
                    }
                    continue;
                }
            };
            match line {
                Ok(Some(line)) => {
                    if let Some(configuration) = lines.take(line)
                        && let Err(reason) = self.store(self.destination, &configuration).await
                    {
                        return Some(reason);
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    let text = format!("reading the destination's output: {error}");
                    return Some(Box::new(failure(Origin::Destination, text)));
                }
            }
        }
    }

    /// Keeps what was echoed. What cannot be kept now is tried again with the next one; the last
    /// one of an attempt decides.
    async fn checkpoint(&self) {
        let written = checkpoint::write(self.engine, self.job, self.number, self.tracker).await;
        if let Err(fault) = written {
            self.log.platform(&format!(
                "WARN states cannot be kept now: {}",
                fault.chain()
            ));
        }
    }

    async fn store(
        &self,
        actor: &Configured,
        configuration: &serde_json::value::RawValue,
    ) -> Result<(), Box<FailureReason>> {
        let kind = &actor.row.kind;
        match self.engine.actor_control(actor, configuration).await {
            Ok(()) => {
                self.log
                    .platform(&format!("INFO the {kind} changed its configuration"));
                Ok(())
            }
            // The old configuration stays: a connector must not break its own source.
            Err(Fault::Unprocessable(why)) => {
                self.log.platform(&format!(
                    "ERROR refused a configuration of the {kind}: {why}"
                ));
                Ok(())
            }
            // Going on would use up what the old one still allows, a refresh token for instance.
            Err(fault) => {
                let text = format!("the new configuration of the {kind} cannot be kept");
                Err(Box::new(
                    failure(Origin::AirbytePlatform, text).with_internal(fault.chain()),
                ))
            }
        }
    }

    fn blocked(&self) -> FailureReason {
        let limit = self.engine.timing.destination_blocked;
        let text = format!("the destination has read nothing for {limit:?}");
        FailureReason::new(Origin::Destination, Kind::DestinationTimeout, text)
    }

    pub(super) async fn stop(&self, connector: &mut Connector) {
        let group = connector.group();
        group.terminate();
        if timeout(self.engine.timing.kill_grace, connector.wait())
            .await
            .is_err()
        {
            group.kill();
            // A killed process is reaped; that it cannot be waited for changes nothing here.
            let _ = connector.wait().await;
        }
    }
}

enum Pumped {
    Ended,
    Failed(Box<FailureReason>),
    DestinationGone,
    DestinationBlocked,
}

fn failure(origin: Origin, text: String) -> FailureReason {
    FailureReason::new(origin, Kind::SystemError, text)
}
