//! One stream's way from query to stdout.

use std::borrow::Cow;
use std::time::Duration;

use airbyte_protocol::ConfiguredStream;
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::rows::{RowWriter, cells_of};
use super::tables::{Column, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::literal;
use crate::source::{GlobalStates, Records, selected_properties};

/// How long the server may take for its next row. Sorting a large table comes before the first.
const SILENCE_MAX: Duration = Duration::from_secs(2 * 3600);

/// A cursor's value, as the server writes it. Its type comes along: texts order otherwise than
/// numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CursorValue {
    pub(super) cursor: String,
    pub(super) cursor_type: String,
}

/// The state of a stream read by a cursor.
pub(super) type Checkpoint = crate::source::Checkpoint<CursorValue>;

impl CursorValue {
    /// The value in SQL.
    pub(super) fn sql(&self) -> String {
        format!("{}::{}", literal(&self.cursor), self.cursor_type)
    }
}

/// What a pass over rows sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emission {
    /// Nothing: the rows are only looked at.
    Nothing,
    /// Records.
    Rows,
}

/// Reads one stream.
pub(super) struct StreamReader<'a> {
    pub(super) records: Records<'a>,
    rows: RowWriter,
    /// The columns that are read, for a SELECT.
    list: String,
    columns: usize,
}

/// The columns of the table that the configured schema names; all where it names none.
fn chosen(table: &Table, configured: &ConfiguredStream) -> Vec<Column> {
    let selected = selected_properties(&configured.stream.json_schema);
    let is_chosen = |column: &&Column| {
        selected
            .as_ref()
            .is_none_or(|names| names.contains(&column.name))
    };
    table.columns.iter().filter(is_chosen).cloned().collect()
}

impl<'a> StreamReader<'a> {
    pub(super) fn new(
        table: &Table,
        configured: &ConfiguredStream,
        output: &'a mut Output,
    ) -> Self {
        let columns = chosen(table, configured);
        let list: Vec<String> = columns.iter().map(Column::selected).collect();
        Self {
            records: Records::new(configured, output),
            rows: RowWriter::new(&columns),
            columns: columns.len(),
            list: list.join(", "),
        }
    }

    /// Sends states of all streams instead of the one's.
    pub(super) fn within(mut self, global: &'a mut GlobalStates) -> Self {
        self.records = self.records.within(global);
        self
    }

    /// The statement that copies out the columns, then `extra` ones, of what `rest` says.
    pub(super) fn copy(&self, extra: &[String], rest: &str) -> String {
        let mut list = vec![self.list.clone()];
        list.extend_from_slice(extra);
        list.retain(|part| !part.is_empty());
        format!("COPY (SELECT {} {rest}) TO STDOUT", list.join(", "))
    }

    /// Sends the rows of a statement made by [`Self::copy`], and tells `after` of each. How many
    /// there were.
    pub(super) async fn pass(
        &mut self,
        connection: &mut PgConnection,
        copy: &str,
        emission: Emission,
        mut after: impl FnMut(&mut Records<'_>, Row<'_>) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let mut rows = connection.copy_out_raw(copy).await?;
        let mut count = 0;
        loop {
            let next = tokio::time::timeout(SILENCE_MAX, rows.try_next()).await;
            let next = next.map_err(|_| Failure::transient("the server sends no more rows"))?;
            let Some(line) = next? else { break };
            count += 1;
            let extra = self
                .rows
                .write(&line, self.records.begin())?
                .next()
                .flatten();
            if emission == Emission::Rows {
                self.records.send(self.rows.nulled())?;
            }
            let row = Row { line: &line, extra };
            after(&mut self.records, row)?;
        }
        Ok(count)
    }

    /// How many columns are read.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }
}

/// A row as it came.
pub(super) struct Row<'l> {
    pub(super) line: &'l [u8],
    /// The first cell behind the columns.
    pub(super) extra: Option<Cow<'l, [u8]>>,
}

/// The cells of a line behind so many columns.
pub(super) fn extra_cells(line: &[u8], columns: usize) -> Vec<Option<Vec<u8>>> {
    let cells = cells_of(line).skip(columns);
    cells.map(|cell| cell.map(Cow::into_owned)).collect()
}
