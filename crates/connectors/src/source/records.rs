//! One stream's records and states on their way to stdout. A record's line is built in place: its
//! head once, its row by the connector, its end here.

use airbyte_protocol::{
    ConfiguredStream, Message, StateMessage, StateStats, StateType, StreamDescriptor, StreamState,
    StreamStatus,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::failure::Failure;
use crate::output::{Output, now_ms};

/// Rows between two states: few enough that little is read twice after a failure.
const CHECKPOINT_ROWS: u64 = 10_000;

/// Rows that share a reading of the clock.
const CLOCK_ROWS: u64 = 100;

/// Writes the records of one stream.
pub(crate) struct Records<'a> {
    output: &'a mut Output,
    stream: StreamDescriptor,
    /// A record's line up to its data.
    head: Vec<u8>,
    line: Vec<u8>,
    /// Where the row ends in a line that was sent.
    row_end: Option<usize>,
    sent: u64,
    sent_since_state: u64,
    emitted_at: i64,
}

impl<'a> Records<'a> {
    pub(crate) fn new(configured: &ConfiguredStream, output: &'a mut Output) -> Self {
        let stream = configured.stream.descriptor();
        let mut head = br#"{"type":"RECORD","record":{"stream":"#.to_vec();
        quoted_json(&mut head, &stream.name);
        if let Some(namespace) = &stream.namespace {
            head.extend_from_slice(br#","namespace":"#);
            quoted_json(&mut head, namespace);
        }
        head.extend_from_slice(br#","data":"#);
        Self {
            output,
            stream,
            head,
            line: Vec::with_capacity(1024),
            row_end: None,
            sent: 0,
            sent_since_state: 0,
            emitted_at: 0,
        }
    }

    /// The stream that is read.
    pub(crate) fn stream(&self) -> &StreamDescriptor {
        &self.stream
    }

    /// A new line, to which the row's object is to be appended.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.line.clear();
        self.row_end = None;
        self.line.extend_from_slice(&self.head);
        &mut self.line
    }

    /// The object that was appended.
    pub(crate) fn row(&self) -> &[u8] {
        &self.line[self.head.len()..self.row_end.unwrap_or(self.line.len())]
    }

    /// Completes the line and sends it; `nulled` are the columns whose value did not fit.
    pub(crate) fn send<'n>(
        &mut self,
        nulled: impl Iterator<Item = &'n str>,
    ) -> Result<(), Failure> {
        if self.sent == 0 {
            self.output.status(&self.stream, StreamStatus::Running)?;
        }
        if self.sent.is_multiple_of(CLOCK_ROWS) {
            self.emitted_at = now_ms();
        }
        let line = &mut self.line;
        self.row_end = Some(line.len());
        line.extend_from_slice(br#","emitted_at":"#);
        serde_json::to_writer(&mut *line, &self.emitted_at)
            .expect("writing a number to memory cannot fail");
        let mut changes = 0;
        for column in nulled {
            line.extend_from_slice(if changes == 0 {
                br#","meta":{"changes":["#
            } else {
                b","
            });
            changes += 1;
            line.extend_from_slice(br#"{"field":"#);
            quoted_json(line, column);
            line.extend_from_slice(br#","change":"NULLED","reason":"SOURCE_SERIALIZATION_ERROR"}"#);
        }
        line.extend_from_slice(if changes > 0 { b"]}}}\n" } else { b"}}\n" });
        self.sent += 1;
        self.sent_since_state += 1;
        self.output.lines(&self.line)
    }

    /// Whether enough rows were sent since the last state.
    pub(crate) fn state_is_due(&self) -> bool {
        self.sent_since_state >= CHECKPOINT_ROWS
    }

    /// Sends the stream's state.
    pub(crate) fn state(&mut self, state: &impl Serialize) -> Result<(), Failure> {
        let state = to_raw_value(state)
            .map_err(|e| Failure::system("a state cannot be written").because(e))?;
        self.state_of(state)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts between two states are small"
    )]
    fn state_of(&mut self, state: Box<RawValue>) -> Result<(), Failure> {
        let message = StateMessage {
            kind: StateType::Stream,
            stream: Some(StreamState {
                stream_descriptor: self.stream.clone(),
                stream_state: Some(state),
            }),
            source_stats: Some(StateStats {
                record_count: Some(self.sent_since_state as f64),
                rejected_record_count: None,
            }),
            ..StateMessage::default()
        };
        self.sent_since_state = 0;
        self.output.send(&Message::state(message))?;
        self.output.flush()
    }
}

/// Appends the text as a JSON string.
pub(crate) fn quoted_json(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("writing a text to memory cannot fail");
}
