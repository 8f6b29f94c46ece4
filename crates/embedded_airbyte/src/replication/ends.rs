//! The two ends of an attempt: what is read from the source and told to the destination, and what
//! the destination answers.

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::attempt::Run;
use super::checkpoint;
use super::source::{Asked, SourceLines};
use super::write::DestinationLines;
use crate::actors::Configured;
use crate::connector::process::describe;
use crate::connector::{Connector, FailureReason, Kind, LineReader, Origin};
use crate::fault::Fault;

/// Bytes gathered for the destination before they are written.
const OUTPUT_LEN: usize = 64 * 1024;

/// Why one end stopped.
pub(super) struct End {
    pub(super) failures: Vec<FailureReason>,
}

impl Run<'_> {
    /// Source to destination, then the destination's end of input.
    pub(super) async fn read(
        &self,
        source: Option<&mut Connector>,
        mut stdin: ChildStdin,
        gone: &CancellationToken,
        closed: &CancellationToken,
    ) -> Result<End, Fault> {
        let redactor = &self.source.redactor;
        let mut lines = SourceLines::new(self.plan, self.tracker, self.log, redactor);
        let mut failures = Vec::new();
        let mut output = Vec::with_capacity(2 * OUTPUT_LEN);
        if let Some(source) = source {
            let pumped = self
                .pump(source, &mut lines, &mut output, &mut stdin, gone)
                .await?;
            failures.append(&mut lines.failures);
            match pumped {
                Pumped::Ended => {
                    let grace = self.engine.timing.destination_grace;
                    match timeout(grace, source.wait()).await {
                        Ok(Ok(status)) if status.success() || self.stopping() => {}
                        Ok(Ok(status)) if failures.is_empty() => {
                            let text = format!("the source {}", describe(status));
                            failures.push(failure(Origin::Source, text));
                        }
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => {
                            let text = format!("waiting for the source: {error}");
                            failures.push(failure(Origin::Replication, text));
                        }
                        Err(_) => {
                            let text = "the source closed its output and did not exit";
                            failures.push(failure(Origin::Source, text.to_owned()));
                        }
                    }
                }
                Pumped::Failed(reason) => {
                    failures.push(*reason);
                    self.stop(source).await;
                }
                // The destination's own end says why.
                Pumped::DestinationGone => self.stop(source).await,
            }
            if matches!(failures.first(), Some(first) if first.failure_origin == Origin::Source) {
                self.log
                    .platform("WARN the source failed, what it sent is kept");
            }
        }
        if failures.is_empty()
            && !self.stopping()
            && !gone.is_cancelled()
            && let Err(reason) = lines.end(&mut output)
        {
            failures.push(*reason);
        }
        // A destination that is gone cannot be told; its own end says why.
        let _ = stdin.write_all(&output).await;
        closed.cancel();
        drop(stdin);
        Ok(End { failures })
    }

    async fn pump(
        &self,
        source: &mut Connector,
        lines: &mut SourceLines<'_>,
        output: &mut Vec<u8>,
        stdin: &mut ChildStdin,
        gone: &CancellationToken,
    ) -> Result<Pumped, Fault> {
        let mut reader = LineReader::new(source.stdout.take().expect("taken once"));
        let mut exited = false;
        loop {
            let mut full = false;
            while let Some(line) = reader.ready() {
                match lines.take(line, output) {
                    Asked::Nothing => {}
                    Asked::Store(configuration) => self.store(self.source, &configuration).await?,
                    Asked::Fail(reason) => return Ok(Pumped::Failed(reason)),
                }
                full = output.len() >= OUTPUT_LEN;
                if full {
                    break;
                }
            }
            // What was read is passed on before waiting for more.
            if !output.is_empty() {
                if stdin.write_all(output).await.is_err() {
                    return Ok(Pumped::DestinationGone);
                }
                output.clear();
            }
            if full {
                continue;
            }
            if reader.ended() {
                return Ok(Pumped::Ended);
            }
            let filled = tokio::select! {
                biased;
                () = gone.cancelled() => return Ok(Pumped::DestinationGone),
                filled = reader.fill() => filled,
                // Its status is asked for again at the end. What it wrote is still in the pipe.
                _ = source.wait(), if !exited => {
                    exited = true;
                    continue;
                }
            };
            if let Err(error) = filled {
                let text = format!("reading the source's output: {error}");
                return Ok(Pumped::Failed(Box::new(failure(Origin::Source, text))));
            }
        }
    }

    /// Destination's echoes, until its end.
    pub(super) async fn write(
        &self,
        destination: &mut Connector,
        gone: &CancellationToken,
        closed: &CancellationToken,
    ) -> Result<End, Fault> {
        let mut lines = DestinationLines {
            tracker: self.tracker,
            log: self.log,
            redactor: &self.destination.redactor,
            failures: Vec::new(),
        };
        let mut reader = LineReader::new(destination.stdout.take().expect("taken once"));
        let mut tick = interval(self.engine.timing.checkpoint);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        let mut broken = None;
        let mut exited = false;
        loop {
            let line = tokio::select! {
                line = reader.next() => line,
                // Whatever holds its pipe open ends with it; what it wrote is still read.
                _ = destination.wait(), if !exited => {
                    exited = true;
                    continue;
                }
                _ = tick.tick() => {
                    checkpoint::write(self.engine, self.job, self.number, self.tracker).await?;
                    continue;
                }
            };
            match line {
                Ok(Some(line)) => {
                    if let Some(configuration) = lines.take(line) {
                        self.store(self.destination, &configuration).await?;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    broken = Some(format!("reading the destination's output: {error}"));
                    break;
                }
            }
        }
        drop(reader);
        let early = !closed.is_cancelled() && !self.stopping();
        gone.cancel();
        let mut failures = lines.failures;
        if let Some(text) = broken {
            failures.push(failure(Origin::Destination, text));
            self.stop(destination).await;
            return Ok(End { failures });
        }
        let grace = self.engine.timing.destination_grace;
        match timeout(grace, destination.wait()).await {
            Ok(Ok(status)) if status.success() && early && failures.is_empty() => {
                let text = "the destination ended before its input did";
                failures.push(failure(Origin::Destination, text.to_owned()));
            }
            Ok(Ok(status)) if status.success() || self.stopping() => {}
            Ok(Ok(status)) if failures.is_empty() => {
                let text = format!("the destination {}", describe(status));
                failures.push(failure(Origin::Destination, text));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let text = format!("waiting for the destination: {error}");
                failures.push(failure(Origin::Replication, text));
            }
            Err(_) => {
                self.stop(destination).await;
                let text = "the destination closed its output and did not exit";
                failures.push(failure(Origin::Destination, text.to_owned()));
            }
        }
        Ok(End { failures })
    }

    async fn store(
        &self,
        actor: &Configured,
        configuration: &serde_json::value::RawValue,
    ) -> Result<(), Fault> {
        match self.engine.actor_control(actor, configuration).await {
            Ok(()) => {
                let text = format!("INFO the {} changed its configuration", actor.row.kind);
                self.log.platform(&text);
                Ok(())
            }
            // The old configuration stays: a connector must not break its own source.
            Err(Fault::Unprocessable(why)) => {
                let text = format!(
                    "ERROR refused a configuration of the {}: {why}",
                    actor.row.kind
                );
                self.log.platform(&text);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    async fn stop(&self, connector: &mut Connector) {
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
}

fn failure(origin: Origin, text: String) -> FailureReason {
    FailureReason::new(origin, Kind::SystemError, text)
}
