//! One stream's records and states on their way to stdout. A record's line is built in place: its
//! head once, its row by the connector, its end here.

use airbyte_protocol::{
    ConfiguredStream, GlobalState, LogLevel, Message, StateMessage, StateStats, StateType,
    StreamDescriptor, StreamState, StreamStatus,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::failure::Failure;
use crate::output::{Output, now_ms};

/// Rows between two states: few enough that little is read twice after a failure.
const CHECKPOINT_ROWS: u64 = 10_000;

/// Rows that share a reading of the clock.
const CLOCK_ROWS: u64 = 100;

/// A value did not fit into JSON.
pub(crate) const UNFIT: &str = "SOURCE_SERIALIZATION_ERROR";

/// The source does not have a value any more.
pub(crate) const GONE: &str = "SOURCE_RETRIEVAL_ERROR";

/// Builds the lines of one stream's records.
pub(crate) struct LineBuilder {
    /// A record's line up to its data.
    head: Vec<u8>,
    line: Vec<u8>,
    /// Where the row ends in a line that was finished.
    row_end: Option<usize>,
    built: u64,
    emitted_at: i64,
}

impl LineBuilder {
    pub(crate) fn new(stream: &StreamDescriptor) -> Self {
        let mut head = br#"{"type":"RECORD","record":{"stream":"#.to_vec();
        quoted_json(&mut head, &stream.name);
        if let Some(namespace) = &stream.namespace {
            head.extend_from_slice(br#","namespace":"#);
            quoted_json(&mut head, namespace);
        }
        head.extend_from_slice(br#","data":"#);
        Self {
            head,
            line: Vec::with_capacity(1024),
            row_end: None,
            built: 0,
            emitted_at: 0,
        }
    }

    /// A new line, to which the row's object is to be appended.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.line.clear();
        self.row_end = None;
        self.line.extend_from_slice(&self.head);
        &mut self.line
    }

    /// The object that was appended.
    fn row(&self) -> &[u8] {
        &self.line[self.head.len()..self.row_end.unwrap_or(self.line.len())]
    }

    /// Completes the line; `nulled` are columns that have no value, and why.
    pub(crate) fn finish<'n>(
        &mut self,
        nulled: impl Iterator<Item = (&'n str, &'static str)>,
    ) -> &[u8] {
        if self.built.is_multiple_of(CLOCK_ROWS) {
            self.emitted_at = now_ms();
        }
        self.built += 1;
        let line = &mut self.line;
        self.row_end = Some(line.len());
        line.extend_from_slice(br#","emitted_at":"#);
        serde_json::to_writer(&mut *line, &self.emitted_at)
            .expect("writing a number to memory cannot fail");
        let mut changes = 0;
        for (column, reason) in nulled {
            line.extend_from_slice(if changes == 0 {
                br#","meta":{"changes":["#
            } else {
                b","
            });
            changes += 1;
            line.extend_from_slice(br#"{"field":"#);
            quoted_json(line, column);
            line.extend_from_slice(br#","change":"NULLED","reason":"#);
            quoted_json(line, reason);
            line.push(b'}');
        }
        line.extend_from_slice(if changes > 0 { b"]}}}\n" } else { b"}}\n" });
        &self.line
    }
}

/// Writes the records of one stream.
pub(crate) struct Records<'a> {
    output: &'a mut Output,
    stream: StreamDescriptor,
    line: LineBuilder,
    /// The state of all streams, where this one's is a part of it.
    global: Option<&'a mut GlobalStates>,
    sent: u64,
    sent_since_state: u64,
}

impl<'a> Records<'a> {
    pub(crate) fn new(configured: &ConfiguredStream, output: &'a mut Output) -> Self {
        let stream = configured.stream.descriptor();
        Self {
            output,
            line: LineBuilder::new(&stream),
            stream,
            global: None,
            sent: 0,
            sent_since_state: 0,
        }
    }

    /// Sends states of all streams instead of the one's.
    pub(crate) fn within(mut self, global: &'a mut GlobalStates) -> Self {
        self.global = Some(global);
        self
    }

    /// The stream that is read.
    pub(crate) fn stream(&self) -> &StreamDescriptor {
        &self.stream
    }

    /// A new line, to which the row's object is to be appended.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.line.begin()
    }

    /// The incomplete line.
    pub(crate) fn line(&mut self) -> &mut Vec<u8> {
        &mut self.line.line
    }

    /// The object that was appended.
    pub(crate) fn row(&self) -> &[u8] {
        self.line.row()
    }

    pub(crate) fn log(&mut self, level: LogLevel, text: String) -> Result<(), Failure> {
        self.output.log(level, text)
    }

    /// Completes the line and sends it; `nulled` are the columns whose value did not fit.
    pub(crate) fn send<'n>(
        &mut self,
        nulled: impl Iterator<Item = &'n str>,
    ) -> Result<(), Failure> {
        if self.sent == 0 {
            self.output.status(&self.stream, StreamStatus::Running)?;
        }
        self.sent += 1;
        self.sent_since_state += 1;
        let nulled = nulled.map(|column| (column, UNFIT));
        self.output.lines(self.line.finish(nulled))
    }

    /// Whether enough rows were sent since the last state.
    pub(crate) fn state_is_due(&self) -> bool {
        self.sent_since_state >= CHECKPOINT_ROWS
    }

    /// Sends the stream's state.
    pub(crate) fn state(&mut self, state: &impl Serialize) -> Result<(), Failure> {
        let state = to_raw_value(state)
            .map_err(|e| Failure::system("a state cannot be written").because(e))?;
        let count = std::mem::take(&mut self.sent_since_state);
        if let Some(global) = self.global.as_deref_mut() {
            global.set(&self.stream, state);
            return global.send(count, self.output);
        }
        let message = StateMessage {
            kind: StateType::Stream,
            stream: Some(StreamState {
                stream_descriptor: self.stream.clone(),
                stream_state: Some(state),
            }),
            source_stats: Some(stats(count)),
            ..StateMessage::default()
        };
        self.output.send(&Message::state(message))?;
        self.output.flush()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts between two states are small"
)]
fn stats(count: u64) -> StateStats {
    StateStats {
        record_count: Some(count as f64),
        rejected_record_count: None,
    }
}

/// The state of all streams together.
pub(crate) struct GlobalStates {
    shared: Box<RawValue>,
    streams: Vec<StreamState>,
}

impl GlobalStates {
    pub(crate) fn new(shared: &impl Serialize, streams: Vec<StreamState>) -> Result<Self, Failure> {
        let mut states = Self {
            shared: RawValue::NULL.to_owned(),
            streams,
        };
        states.share(shared)?;
        Ok(states)
    }

    /// Replaces what the streams share.
    pub(crate) fn share(&mut self, shared: &impl Serialize) -> Result<(), Failure> {
        self.shared = to_raw_value(shared)
            .map_err(|e| Failure::system("a state cannot be written").because(e))?;
        Ok(())
    }

    /// Replaces one stream's part.
    pub(crate) fn put(
        &mut self,
        stream: &StreamDescriptor,
        state: &impl Serialize,
    ) -> Result<(), Failure> {
        let state = to_raw_value(state)
            .map_err(|e| Failure::system("a state cannot be written").because(e))?;
        self.set(stream, state);
        Ok(())
    }

    fn set(&mut self, stream: &StreamDescriptor, state: Box<RawValue>) {
        self.streams
            .retain(|part| part.stream_descriptor != *stream);
        self.streams.push(StreamState {
            stream_descriptor: stream.clone(),
            stream_state: Some(state),
        });
    }

    /// Sends it; `count` records were sent since the last one.
    pub(crate) fn send(&self, count: u64, output: &mut Output) -> Result<(), Failure> {
        let message = StateMessage {
            kind: StateType::Global,
            global: Some(GlobalState {
                shared_state: Some(self.shared.clone()),
                stream_states: self.streams.clone(),
            }),
            source_stats: Some(stats(count)),
            ..StateMessage::default()
        };
        output.send(&Message::state(message))?;
        output.flush()
    }
}

/// Appends the text as a JSON string.
pub(crate) fn quoted_json(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("writing a text to memory cannot fail");
}
