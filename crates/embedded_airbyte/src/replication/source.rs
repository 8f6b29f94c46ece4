//! What happens to each line of a source.

use std::collections::HashMap;
use std::io::Write as _;

use airbyte_protocol::{
    EstimateType, Line, StateMessage, StateType, StreamDescriptor, StreamState, TraceMessage,
    narrow,
};
use serde_json::value::RawValue;

use super::log::AttemptLog;
use super::plan::{Plan, PlannedStream, complete_line};
use super::tracker::Tracker;
use crate::connector::command::{log_text, new_configuration};
use crate::connector::{FailureReason, Kind, Origin};
use crate::fault::to_json;
use crate::mappers::{self, Mapped};
use crate::secrets::Redactor;
use crate::time::now_ms;

/// How much of a line is searched for its type if the line cannot be parsed.
const HEAD_LEN: usize = 64;
/// Bytes of such a line that a failure shows.
const SHOWN_LEN: usize = 200;

/// What a line asks of the caller.
pub(super) enum Asked {
    /// Nothing; what is to be forwarded was written to the output.
    Nothing,
    /// To store a configuration at once.
    Store(Box<RawValue>),
    /// To end the attempt.
    Fail(Box<FailureReason>),
}

/// Turns a source's lines into the destination's.
pub(super) struct SourceLines<'a> {
    plan: &'a Plan,
    tracker: &'a Tracker,
    log: &'a AttemptLog,
    redactor: &'a Redactor,
    by_name: HashMap<&'a str, Vec<usize>>,
    heads: Vec<Vec<u8>>,
    scratch: Vec<u8>,
    /// Failures that the source reported.
    pub(super) failures: Vec<FailureReason>,
}

impl<'a> SourceLines<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        tracker: &'a Tracker,
        log: &'a AttemptLog,
        redactor: &'a Redactor,
    ) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, stream) in plan.streams.iter().enumerate() {
            by_name.entry(&stream.source.name).or_default().push(index);
        }
        Self {
            plan,
            tracker,
            log,
            redactor,
            by_name,
            heads: plan.streams.iter().map(head).collect(),
            scratch: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn find(&self, name: &str, namespace: Option<&str>) -> Option<usize> {
        let candidates = self.by_name.get(name)?;
        candidates
            .iter()
            .copied()
            .find(|index| self.plan.streams[*index].source.namespace.as_deref() == namespace)
    }

    fn find_descriptor(&self, stream: &StreamDescriptor) -> Option<usize> {
        self.find(&stream.name, stream.namespace.as_deref())
    }

    /// Takes a line; what the destination is to get goes to `output`.
    pub(super) fn take(&mut self, line: &[u8], output: &mut Vec<u8>) -> Asked {
        let Some(message) = Line::parse(line) else {
            if lost_message(line) {
                let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN_LEN)]);
                let shown = self.redactor.clean(&shown);
                return fail(format!(
                    "the source sent a record or state that cannot be parsed: {shown}"
                ));
            }
            let text = String::from_utf8_lossy(line);
            self.log.connector("source", &self.redactor.clean(&text));
            return Asked::Nothing;
        };
        match message.kind.as_ref() {
            "RECORD" => self.record(line, message, output),
            "STATE" => match message.state {
                Some(state) => self.state(state, output),
                None => Asked::Nothing,
            },
            "LOG" => {
                if let Some(text) = message.log.and_then(log_text) {
                    self.log.connector("source", &self.redactor.clean(&text));
                }
                Asked::Nothing
            }
            "TRACE" => {
                let trace = message.trace;
                let trace = trace.and_then(|raw| serde_json::from_str(raw.get()).ok());
                if let Some(trace) = trace {
                    self.trace(trace);
                }
                Asked::Nothing
            }
            "CONTROL" => match message.control.and_then(new_configuration) {
                Some(configuration) => Asked::Store(configuration),
                None => Asked::Nothing,
            },
            _ => Asked::Nothing,
        }
    }

    fn record(&mut self, line: &[u8], message: Line<'_>, output: &mut Vec<u8>) -> Asked {
        let Some(record) = message.record else {
            return self.drop_record("it has no record");
        };
        let (Some(name), Some(data)) = (record.stream, record.data) else {
            return self.drop_record("it names no stream or holds no data");
        };
        let namespace = record.namespace.as_ref().map(|text| text.0.as_ref());
        let Some(index) = self.find(&name.0, namespace) else {
            return fail(format!(
                "the source sent a record of stream {}, which is not configured",
                name.0
            ));
        };
        let stream = &self.plan.streams[index];
        let columns = stream.columns.as_ref();
        let found = match narrow(data.get(), columns, &stream.key, &mut self.scratch) {
            Ok(found) if found.any => found,
            Ok(_) => return self.drop_record("its data is empty"),
            Err(_) => return self.drop_record("its data is not an object"),
        };
        if !found.keyed {
            return fail(format!(
                "the source sent a record of stream {} without a value for its primary key",
                stream.source
            ));
        }
        if !stream.mappers.is_empty() {
            match mappers::map(&self.scratch, &stream.mappers) {
                Ok(Mapped::Data(mapped)) => self.scratch = mapped,
                Ok(Mapped::Filtered) => {
                    self.tracker.filtered(index, data.get().len());
                    return Asked::Nothing;
                }
                Err(_) => return self.drop_record("its data is not an object"),
            }
        }
        self.tracker.record(index, data.get().len());
        if !found.dropped && stream.mappers.is_empty() && stream.source == stream.destination {
            output.extend_from_slice(line);
        } else {
            output.extend_from_slice(&self.heads[index]);
            output.extend_from_slice(&self.scratch);
            for (name, value) in [
                (&b",\"emitted_at\":"[..], record.emitted_at),
                (&b",\"meta\":"[..], record.meta),
                (&b",\"file_reference\":"[..], record.file_reference),
            ] {
                if let Some(value) = value {
                    output.extend_from_slice(name);
                    output.extend_from_slice(value.get().as_bytes());
                }
            }
            output.extend_from_slice(b"}}");
        }
        output.push(b'\n');
        Asked::Nothing
    }

    fn drop_record(&self, why: &str) -> Asked {
        self.log.platform(&format!("WARN dropped a record: {why}"));
        Asked::Nothing
    }

    fn state(&mut self, raw: &RawValue, output: &mut Vec<u8>) -> Asked {
        let state: StateMessage = match serde_json::from_str(raw.get()) {
            Ok(state) => state,
            Err(error) => return fail(format!("the source sent a malformed state: {error}")),
        };
        let stream = match (&state.kind, &state.stream) {
            (StateType::Stream, Some(named)) => {
                let found = self.find_descriptor(&named.stream_descriptor);
                if found.is_none() {
                    let name = &named.stream_descriptor;
                    self.log.platform(&format!(
                        "WARN dropped a state of stream {name}, which is not configured"
                    ));
                    return Asked::Nothing;
                }
                found
            }
            _ => None,
        };
        self.forward_state(stream, state, output)
    }

    fn forward_state(
        &self,
        stream: Option<usize>,
        mut state: StateMessage,
        output: &mut Vec<u8>,
    ) -> Asked {
        let covered = match self.tracker.state_emitted(stream, &mut state) {
            Ok(covered) => covered,
            Err(fault) => return fail(fault.to_string()),
        };
        let mut text = to_json(&state);
        if let Some(marking) = &self.plan.marking {
            marking.mark(&mut text, state.kind, &covered, &self.plan.streams);
        }
        output.extend_from_slice(b"{\"type\":\"STATE\",\"state\":");
        output.extend_from_slice(text.as_bytes());
        output.extend_from_slice(b"}\n");
        Asked::Nothing
    }

    fn trace(&mut self, trace: TraceMessage) {
        if let Some(error) = trace.error {
            let failure = FailureReason::from_trace(Origin::Source, error, self.redactor);
            self.log
                .connector("source", &format!("ERROR {}", failure.external_message));
            self.failures.push(failure);
        } else if let Some(estimate) = trace.estimate {
            let stream = self.find(&estimate.name, estimate.namespace.as_deref());
            if let (Some(stream), EstimateType::Stream) = (stream, estimate.kind) {
                self.tracker
                    .estimate(stream, estimate.row_estimate, estimate.byte_estimate);
            }
        } else if let Some(status) = trace.stream_status {
            let (stream, status) = (status.stream_descriptor, status.status);
            self.log
                .connector("source", &format!("INFO stream {stream}: {status:?}"));
        }
    }

    /// An incremental stream without a state would be read from its beginning by every sync, and
    /// appended each time.
    fn covered(&self, index: usize, stream: &PlannedStream) -> Result<(), Box<FailureReason>> {
        let records = self.tracker.uncovered(index);
        if !stream.incremental || records == 0 {
            return Ok(());
        }
        let name = &stream.source;
        if !self.tracker.has_state(index) {
            return Err(reason(format!(
                "the source ended without a state for stream {name}, which is read incrementally: \
                 every sync would read its {records} records again"
            )));
        }
        if stream.appends && self.plan.marking.is_some() {
            return Err(reason(format!(
                "the source ended with {records} records of stream {name} after its last state: \
                 they are left out, since the next sync would read them again"
            )));
        }
        self.log.platform(&format!(
            "WARN the source sent {records} records of stream {name} after its last state: the \
             next sync reads them again"
        ));
        Ok(())
    }

    /// What the destination gets after the source has ended well.
    pub(super) fn end(&mut self, output: &mut Vec<u8>) -> Result<(), Box<FailureReason>> {
        for (index, stream) in self.plan.streams.iter().enumerate() {
            self.covered(index, stream)?;
            if self.plan.clears || !stream.makes_state || self.tracker.has_state(index) {
                continue;
            }
            let empty = RawValue::from_string("{}".to_owned()).expect("{} is JSON");
            let state = StateMessage {
                kind: StateType::Stream,
                stream: Some(StreamState {
                    stream_descriptor: stream.source.clone(),
                    stream_state: Some(empty),
                }),
                ..StateMessage::default()
            };
            if let Asked::Fail(failure) = self.forward_state(Some(index), state, output) {
                return Err(failure);
            }
        }
        if self.plan.sends_complete {
            let now = now_ms();
            for stream in &self.plan.streams {
                writeln!(output, "{}", complete_line(&stream.destination, now))
                    .expect("writing to memory does not fail");
            }
        }
        Ok(())
    }
}

/// Whether a malformed line was meant to be a record or a state: dropping it as text would lose
/// data silently.
fn lost_message(line: &[u8]) -> bool {
    let head = &line[..line.len().min(HEAD_LEN)];
    let names = |kind: &[u8]| head.windows(kind.len()).any(|window| window == kind);
    head.first() == Some(&b'{') && (names(b"\"RECORD\"") || names(b"\"STATE\""))
}

fn fail(message: String) -> Asked {
    Asked::Fail(reason(message))
}

fn reason(message: String) -> Box<FailureReason> {
    Box::new(FailureReason::new(
        Origin::Source,
        Kind::SystemError,
        message,
    ))
}

/// The start of a rewritten record, up to its data.
fn head(stream: &PlannedStream) -> Vec<u8> {
    let mut head = format!(
        "{{\"type\":\"RECORD\",\"record\":{{\"stream\":{}",
        to_json(&stream.destination.name)
    );
    if let Some(namespace) = &stream.destination.namespace {
        head.push_str(&format!(",\"namespace\":{}", to_json(namespace)));
    }
    head.push_str(",\"data\":");
    head.into_bytes()
}
