//! One stream's way from query to stdout.

use airbyte_protocol::ConfiguredStream;
use futures::TryStreamExt as _;
use sqlx::query::{Query, QueryScalar};
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use super::cursor::CursorValue;
use super::rows::{RowWriter, Stored, stored};
use super::tables::Column;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::Records;

/// The state of an incremental stream.
pub(super) type Checkpoint = crate::source::Checkpoint<CursorValue>;

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
    records: Records<'a>,
    rows: RowWriter,
    columns: usize,
}

impl<'a> StreamReader<'a> {
    pub(super) fn new(
        configured: &ConfiguredStream,
        columns: &[Column],
        output: &'a mut Output,
    ) -> Self {
        Self {
            records: Records::new(configured, output),
            rows: RowWriter::new(columns),
            columns: columns.len(),
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
            self.rows.write(&row, self.records.begin())?;
            if let Some(checkpoint) = checkpoint.as_deref_mut() {
                let cursor = stored(&row, self.columns)?;
                // Rows that share a value are read again together, so a state among them would send
                // some twice.
                if emission == Emission::RowsAndStates
                    && self.records.state_is_due()
                    && differs(checkpoint, cursor)
                {
                    self.records.state(&*checkpoint)?;
                }
                take(checkpoint, cursor, self.records.row()).map_err(|why| {
                    let name = &checkpoint.cursor_field;
                    let stream = self.records.stream();
                    Failure::config(format!(
                        "column {name} of {stream} cannot be a cursor: {why}"
                    ))
                })?;
            }
            if emission == Emission::Nothing {
                continue;
            }
            let nulled = self.rows.nulled.iter();
            let names = nulled.map(|column| self.rows.column(*column));
            self.records.send(names)?;
        }
        Ok(())
    }

    /// Sends the checkpoint as the stream's state.
    pub(super) fn state(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.records.state(checkpoint)
    }
}

/// Whether a row's cursor is another value than that of the rows before, as the database compares them.
fn differs(checkpoint: &Checkpoint, cursor: Stored<'_>) -> bool {
    match (&checkpoint.cursor, cursor) {
        // Those without a cursor come first, and are read again together.
        (None, Stored::Null) => false,
        (None, _) => true,
        (Some(before), cursor) => before.differs(cursor),
    }
}

/// Takes a row into account; rows come in the cursor's order, those without one first.
fn take(checkpoint: &mut Checkpoint, cursor: Stored<'_>, row: &[u8]) -> Result<(), &'static str> {
    if cursor == Stored::Null {
        checkpoint.take_without_cursor(row);
        return Ok(());
    }
    checkpoint.take(row, |mine| mine.is(cursor), || CursorValue::of(cursor))
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
