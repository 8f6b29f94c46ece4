//! One stream's way from query to stdout: records, what did not fit in them, and states.

use airbyte_protocol::{
    ConfiguredStream, Message, StateMessage, StateStats, StateType, StreamDescriptor, StreamState,
    StreamStatus,
};
use futures::TryStreamExt as _;
use serde_json::value::to_raw_value;
use sqlx::query::{Query, QueryScalar};
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use super::checkpoint::{Checkpoint, CursorValue};
use super::rows::{RowWriter, stored, text};
use super::tables::Column;
use crate::failure::Failure;
use crate::output::{Output, now_ms};

/// Rows between two states: few enough that little is read twice after a failure.
const CHECKPOINT_ROWS: u64 = 10_000;

/// Rows that share a reading of the clock.
const CLOCK_ROWS: u64 = 100;

/// What a pass over rows sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emission {
    /// Nothing: the rows are only looked at.
    Nothing,
    /// Records.
    Rows,
    /// Records, and a state now and then.
    RowsAndStates,
}

/// Reads one stream.
pub(super) struct StreamReader<'a> {
    output: &'a mut Output,
    stream: StreamDescriptor,
    rows: RowWriter,
    columns: usize,
    /// A record's line up to its data.
    head: Vec<u8>,
    line: Vec<u8>,
    sent: u64,
    sent_since_state: u64,
    emitted_at: i64,
}

impl<'a> StreamReader<'a> {
    pub(super) fn new(
        configured: &ConfiguredStream,
        columns: &[Column],
        output: &'a mut Output,
    ) -> Self {
        let stream = configured.stream.descriptor();
        let mut head = br#"{"type":"RECORD","record":{"stream":"#.to_vec();
        text(&mut head, &stream.name);
        if let Some(namespace) = &stream.namespace {
            head.extend_from_slice(br#","namespace":"#);
            text(&mut head, namespace);
        }
        head.extend_from_slice(br#","data":"#);
        Self {
            output,
            stream,
            rows: RowWriter::new(columns),
            columns: columns.len(),
            head,
            line: Vec::with_capacity(1024),
            sent: 0,
            sent_since_state: 0,
            emitted_at: 0,
        }
    }

    /// Runs the query and takes each row: into the checkpoint, if there is one, whose cursor is
    /// then the query's last column, and to stdout.
    pub(super) async fn pass(
        &mut self,
        connection: &mut SqliteConnection,
        sql: String,
        bound: Option<&CursorValue>,
        emission: Emission,
        mut checkpoint: Option<&mut Checkpoint>,
    ) -> Result<(), Failure> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)), bound);
        let mut rows = query.fetch(connection);
        while let Some(row) = rows.try_next().await? {
            self.line.clear();
            self.line.extend_from_slice(&self.head);
            let start = self.line.len();
            self.rows.write(&row, &mut self.line)?;
            if let Some(checkpoint) = checkpoint.as_deref_mut() {
                let cursor = stored(&row, self.columns)?;
                checkpoint
                    .advance(cursor, &self.line[start..])
                    .map_err(|why| {
                        let name = &checkpoint.cursor_field;
                        Failure::config(format!(
                            "column {name} of {} is no cursor: {why}",
                            self.stream
                        ))
                    })?;
            }
            if emission == Emission::Nothing {
                continue;
            }
            self.send()?;
            if emission == Emission::RowsAndStates
                && self.sent_since_state == CHECKPOINT_ROWS
                && let Some(checkpoint) = checkpoint.as_deref()
            {
                self.state(checkpoint)?;
            }
        }
        Ok(())
    }

    /// Completes the line that holds a row and sends it.
    fn send(&mut self) -> Result<(), Failure> {
        if self.sent == 0 {
            self.output.status(&self.stream, StreamStatus::Running)?;
        }
        if self.sent.is_multiple_of(CLOCK_ROWS) {
            self.emitted_at = now_ms();
        }
        let line = &mut self.line;
        line.extend_from_slice(br#","emitted_at":"#);
        serde_json::to_writer(&mut *line, &self.emitted_at)
            .expect("writing a number to memory cannot fail");
        if !self.rows.nulled.is_empty() {
            line.extend_from_slice(br#","meta":{"changes":["#);
            for (position, column) in self.rows.nulled.iter().enumerate() {
                if position > 0 {
                    line.push(b',');
                }
                line.extend_from_slice(br#"{"field":"#);
                text(line, self.rows.column(*column));
                line.extend_from_slice(
                    br#","change":"NULLED","reason":"SOURCE_SERIALIZATION_ERROR"}"#,
                );
            }
            line.extend_from_slice(b"]}");
        }
        line.extend_from_slice(b"}}\n");
        self.sent += 1;
        self.sent_since_state += 1;
        self.output.lines(&self.line)
    }

    /// Sends the checkpoint as the stream's state.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts between two states are small"
    )]
    pub(super) fn state(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        let state = to_raw_value(checkpoint)
            .map_err(|e| Failure::system("a state cannot be written").because(e))?;
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

type RowQuery = Query<'static, Sqlite, SqliteArguments>;

fn bind(query: RowQuery, value: Option<&CursorValue>) -> RowQuery {
    match value {
        None => query,
        Some(CursorValue::Integer(value)) => query.bind(*value),
        Some(CursorValue::Real(value)) => query.bind(*value),
        Some(CursorValue::Text(value)) => query.bind(value.clone()),
    }
}

type CountQuery = QueryScalar<'static, Sqlite, i64, SqliteArguments>;

pub(super) fn bind_scalar(query: CountQuery, value: Option<&CursorValue>) -> CountQuery {
    match value {
        None => query,
        Some(CursorValue::Integer(value)) => query.bind(*value),
        Some(CursorValue::Real(value)) => query.bind(*value),
        Some(CursorValue::Text(value)) => query.bind(value.clone()),
    }
}
