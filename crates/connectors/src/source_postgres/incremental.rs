//! Reading by a cursor that the connection chose. Rows that share the cursor's last value are told
//! apart by a digest: when they are what they were, the read begins behind them, otherwise with
//! them, so that none is lost.

use airbyte_protocol::{ConfiguredStream, LogLevel};
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::stream::{Checkpoint, CursorValue, Emission, Row, StreamReader};
use super::tables::{Column, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::quoted;
use crate::source::Records;

/// Reads what is new since the state.
pub(super) async fn read(
    connection: &mut PgConnection,
    table: &Table,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    let cursor = cursor(table, configured)?;
    let by = quoted(&cursor.name);
    let restored = saved
        .and_then(|state| Checkpoint::saved(state, &cursor.name))
        .filter(|saved| {
            saved
                .cursor
                .as_ref()
                .is_none_or(|c| c.cursor_type == cursor.sql_type)
        });
    if saved.is_some_and(|state| state.get() != "{}") && restored.is_none() {
        let text = format!(
            "the state of {} is not about {by}: all rows are read",
            table.name
        );
        output.log(LogLevel::Warn, text)?;
    }
    let mut reader = StreamReader::new(table, configured, output);
    let from = format!("FROM {}", table.sql());
    let extra = [by.clone()];
    let mut checkpoint = restored
        .clone()
        .unwrap_or_else(|| Checkpoint::new(&cursor.name));
    if cursor.nullable {
        let copy = reader.copy(&extra, &format!("{from} WHERE {by} IS NULL"));
        let mut seen = Checkpoint::new(&cursor.name);
        // Looked at first: those that were sent already are not sent again.
        let known = restored.as_ref().map(|saved| saved.without_cursor);
        if known.is_some() {
            reader
                .pass(connection, &copy, Emission::Nothing, digest(&mut seen))
                .await?;
        }
        if known != Some(seen.without_cursor) {
            let mut sent = Checkpoint::new(&cursor.name);
            reader
                .pass(connection, &copy, Emission::Rows, digest(&mut sent))
                .await?;
            checkpoint.without_cursor = sent.without_cursor;
        }
    }
    let condition = match restored.as_ref().and_then(|saved| saved.cursor.as_ref()) {
        None => format!("{by} IS NOT NULL"),
        Some(value) => {
            let value = value.sql();
            let copy = reader.copy(&extra, &format!("{from} WHERE {by} = {value}"));
            let mut seen = Checkpoint::new(&cursor.name);
            let look =
                |records: &mut Records<'_>, row: Row<'_>| advance(&mut seen, cursor, records, &row);
            reader
                .pass(connection, &copy, Emission::Nothing, look)
                .await?;
            if seen.at_cursor == checkpoint.at_cursor {
                format!("{by} > {value}")
            } else {
                // Counted anew as they come.
                checkpoint.at_cursor = Default::default();
                format!("{by} >= {value}")
            }
        }
    };
    let copy = reader.copy(&extra, &format!("{from} WHERE {condition} ORDER BY {by}"));
    let forward = |records: &mut Records<'_>, row: Row<'_>| {
        advance(&mut checkpoint, cursor, records, &row)?;
        if records.state_is_due() {
            records.state(&checkpoint)?;
        }
        Ok(())
    };
    reader
        .pass(connection, &copy, Emission::Rows, forward)
        .await?;
    reader.records.state(&checkpoint)
}

/// Takes rows without a cursor into account.
fn digest(
    checkpoint: &mut Checkpoint,
) -> impl FnMut(&mut Records<'_>, Row<'_>) -> Result<(), Failure> {
    |records, _| {
        checkpoint.take_without_cursor(records.row());
        Ok(())
    }
}

/// Takes the row that was written last into account.
fn advance(
    checkpoint: &mut Checkpoint,
    column: &Column,
    records: &Records<'_>,
    row: &Row<'_>,
) -> Result<(), Failure> {
    let unfit = || {
        let stream = records.stream();
        Failure::config(format!(
            "a value of cursor {} of {stream} is not UTF-8",
            column.name
        ))
    };
    let value =
        std::str::from_utf8(row.extra.as_deref().unwrap_or_default()).map_err(|_| unfit())?;
    let make = || {
        Ok(CursorValue {
            cursor: value.to_owned(),
            cursor_type: column.sql_type.clone(),
        })
    };
    checkpoint.take(
        records.row(),
        |mine| same(&mine.cursor, value, column),
        make,
    )
}

/// Whether the server takes two texts for the same value: numerics have any number of zeros.
fn same(a: &str, b: &str, column: &Column) -> bool {
    let trimmed = |text: &'_ str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    a == b || (column.sql_type == "numeric" && trimmed(a) == trimmed(b))
}

fn cursor<'t>(table: &'t Table, configured: &ConfiguredStream) -> Result<&'t Column, Failure> {
    let name = table.descriptor();
    let [field] = configured.cursor_field.as_slice() else {
        let message =
            format!("table {name} is to be read incrementally: a cursor column is needed");
        return Err(Failure::config(message));
    };
    let column = table.column(field).ok_or_else(|| {
        Failure::config(format!("table {name} has no column {field} for a cursor"))
    })?;
    if column.orders {
        return Ok(column);
    }
    Err(Failure::config(format!(
        "column {field} of table {name} has no order to read by"
    )))
}
