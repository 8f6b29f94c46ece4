//! The one-shot commands `spec`, `check` and `discover`: run, read to the end, take the first
//! message of the wanted type.

use std::ffi::OsString;
use std::time::Duration;

use airbyte_protocol::{ControlMessage, ErrorTrace, Line, LogMessage, TraceMessage};
use context::error_chain;
use serde_json::value::RawValue;
use tokio::io::AsyncRead;

use super::process::describe;
use super::{Environment, FailureReason, Kind, LineReader, Origin, Runner};
use crate::definitions::Definition;
use crate::options::ConnectorKind;
use crate::secrets::Redactor;

/// Log lines kept of one command.
const LOG_LINES_MAX: usize = 1000;
/// Characters kept of one log line.
pub(crate) const LOG_LINE_LEN_MAX: usize = 8 * 1024;

/// A command and the message it is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Spec,
    Check,
    Discover,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Check => "check",
            Self::Discover => "discover",
        }
    }

    fn result<'a>(self, line: &Line<'a>) -> Option<&'a RawValue> {
        match (self, line.kind.as_ref()) {
            (Self::Spec, "SPEC") => line.spec,
            (Self::Check, "CONNECTION_STATUS") => line.connection_status,
            (Self::Discover, "CATALOG") => line.catalog,
            _ => None,
        }
    }
}

/// The result of a command.
pub(crate) struct Finished {
    /// The wanted message's member, as the connector wrote it, or why there is none.
    pub(crate) result: Result<Box<RawValue>, Box<FailureReason>>,
    /// Configurations that the connector asked to store, in order.
    pub(crate) controls: Vec<Box<RawValue>>,
    /// What it message, secrets removed.
    pub(crate) log: Vec<String>,
}

/// Runs a command to its end, `limit` at most.
pub(crate) async fn run(
    runner: &Runner,
    definition: &Definition,
    verb: Verb,
    configuration: Option<&serde_json::Value>,
    redactor: &Redactor,
    limit: Duration,
) -> std::io::Result<Finished> {
    let origin = match definition.kind {
        ConnectorKind::Source => Origin::Source,
        ConnectorKind::Destination => Origin::Destination,
    };
    let prepared = match runner.prepare(&definition.launch).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let failure = FailureReason::new(origin, Kind::SystemError, error_chain(&error));
            return Ok(Finished {
                result: Err(Box::new(failure)),
                controls: Vec::new(),
                log: Vec::new(),
            });
        }
    };
    let directory = runner.directory()?;
    let mut args = vec![OsString::from(verb.name())];
    if let Some(configuration) = configuration {
        args.push("--config".into());
        let text = configuration.to_string();
        args.push(directory.file("config.json", text.as_bytes())?.into());
    }
    let environment = Environment {
        image: definition.image(),
        job: verb.name().to_owned(),
        attempt: 0,
    };
    let mut connector = runner.start(&prepared, &directory, &environment, &args)?;
    drop(connector.stdin.take());
    let stdout = connector.stdout.take().expect("taken once");
    let stderr = connector.stderr.take().expect("taken once");
    let mut heard = Heard::default();
    let mut stderr_log = Vec::new();
    let work = async {
        // Its exit is waited for beside its pipes: a child that it left could hold them open.
        let (read, (), status) = tokio::join!(
            heard.listen(verb, stdout, redactor),
            read_text(stderr, redactor, &mut stderr_log),
            connector.wait()
        );
        read?;
        status
    };
    let failed = |kind, text: String| Box::new(FailureReason::new(origin, kind, text));
    let ended = tokio::time::timeout(limit, work).await;
    heard.log.append(&mut stderr_log);
    let result = match (ended, heard.error.take(), heard.result.take()) {
        (Err(_), _, _) => Err(failed(
            Kind::TransientError,
            format!("{} took longer than {} s", verb.name(), limit.as_secs()),
        )),
        (Ok(_), Some(trace), _) => {
            Err(Box::new(FailureReason::from_trace(origin, trace, redactor)))
        }
        (Ok(Err(error)), None, _) => Err(failed(
            Kind::SystemError,
            format!("reading the output of {}: {error}", verb.name()),
        )),
        (Ok(Ok(status)), None, _) if !status.success() => {
            let text = format!("the connector's {} {}", verb.name(), describe(status));
            let tail = heard.log.last().cloned();
            let mut failure = failed(Kind::SystemError, text);
            failure.internal_message = tail;
            Err(failure)
        }
        (Ok(Ok(_)), None, None) => Err(failed(
            Kind::SystemError,
            format!("the connector's {} ended without a result", verb.name()),
        )),
        (Ok(Ok(_)), None, Some(result)) => Ok(result),
    };
    Ok(Finished {
        result,
        controls: heard.controls,
        log: heard.log,
    })
}

#[derive(Default)]
struct Heard {
    result: Option<Box<RawValue>>,
    error: Option<ErrorTrace>,
    controls: Vec<Box<RawValue>>,
    log: Vec<String>,
}

impl Heard {
    async fn listen(
        &mut self,
        verb: Verb,
        stdout: impl AsyncRead + Unpin,
        redactor: &Redactor,
    ) -> std::io::Result<()> {
        let mut lines = LineReader::new(stdout);
        while let Some(line) = lines.next().await? {
            let Some(message) = Line::parse(line) else {
                push(&mut self.log, &String::from_utf8_lossy(line), redactor);
                continue;
            };
            if let Some(result) = verb.result(&message) {
                self.result.get_or_insert_with(|| result.to_owned());
            } else if let Some(text) = message.log.and_then(log_text) {
                push(&mut self.log, &text, redactor);
            } else if let Some(trace) = message.trace {
                let trace: Option<TraceMessage> = serde_json::from_str(trace.get()).ok();
                if let Some(error) = trace.and_then(|trace| trace.error) {
                    self.error.get_or_insert(error);
                }
            } else if let Some(configuration) = message.control.and_then(new_configuration) {
                self.controls.push(configuration);
            }
        }
        Ok(())
    }
}

/// `LEVEL message` of a LOG message.
pub(crate) fn log_text(raw: &RawValue) -> Option<String> {
    let log: LogMessage = serde_json::from_str(raw.get()).ok()?;
    let level = format!("{:?}", log.level).to_uppercase();
    Some(match log.stack_trace {
        Some(trace) => format!("{level} {}\n{trace}", log.message),
        None => format!("{level} {}", log.message),
    })
}

/// The configuration inside a CONTROL message.
pub(crate) fn new_configuration(raw: &RawValue) -> Option<Box<RawValue>> {
    let control: ControlMessage = serde_json::from_str(raw.get()).ok()?;
    Some(control.connector_config?.config)
}

async fn read_text(stderr: impl AsyncRead + Unpin, redactor: &Redactor, log: &mut Vec<String>) {
    let mut lines = LineReader::of_text(stderr);
    // A broken pipe ends the text, as its writer's end does.
    while let Ok(Some(line)) = lines.next().await {
        push(log, &String::from_utf8_lossy(line), redactor);
    }
}

fn push(log: &mut Vec<String>, text: &str, redactor: &Redactor) {
    if log.len() < LOG_LINES_MAX {
        log.push(shortened(&redactor.clean(text)).to_owned());
    }
}

/// At most the first [`LOG_LINE_LEN_MAX`] bytes, cut between characters.
pub(crate) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOG_LINE_LEN_MAX)]
}
