//! Reads by a cursor that the connection configures. A digest covers the rows that share the
//! cursor's last value: if they are unchanged, the read starts after them, otherwise with them, so
//! that none is lost.

use airbyte_protocol::LogLevel;
use serde_json::value::RawValue;

use super::checkpoint::Digest;
use super::table_reader::{CursorColumn, CursorValue, Emission, TableReader};
use super::{Extras, Records};
use crate::failure::Failure;
use crate::output::Output;

/// The state of a stream read by a cursor.
pub(crate) type Checkpoint = super::Checkpoint<CursorValue>;

/// The checkpoint of a state; none, with a log line, if the state belongs to another cursor.
pub(crate) fn restored(
    table: &str,
    cursor: &impl CursorColumn,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<Option<Checkpoint>, Failure> {
    let restored = saved
        .and_then(|state| Checkpoint::saved(state, cursor.name()))
        .filter(|saved| {
            let value = saved.cursor.as_ref();
            value.is_none_or(|c| c.cursor_type == cursor.sql_type())
        });
    if saved.is_some_and(|state| state.get() != "{}") && restored.is_none() {
        let name = cursor.name();
        let text = format!("the state of {table} is not about {name}: all rows are read");
        output.log(LogLevel::Warn, text)?;
    }
    Ok(restored)
}

/// Reads what is new since the checkpoint of the table that `from` names.
pub(crate) async fn read<R: TableReader>(
    connection: &mut R::Connection,
    from: &str,
    cursor: &impl CursorColumn,
    restored: Option<Checkpoint>,
    reader: &mut R,
) -> Result<(), Failure> {
    let by = cursor.by();
    let mut checkpoint = restored
        .clone()
        .unwrap_or_else(|| Checkpoint::new(cursor.name()));
    if cursor.nullable() {
        let rest = format!("{from} WHERE {by} IS NULL");
        // Looked at first: those that were sent already are not sent again.
        let known = restored.as_ref().map(|saved| saved.without_cursor);
        let seen = match known {
            Some(_) => Some(digest(reader, connection, &rest, Emission::Nothing).await?),
            None => None,
        };
        if known.is_none() || known != seen {
            checkpoint.without_cursor = digest(reader, connection, &rest, Emission::Rows).await?;
        }
    }
    let value = restored.as_ref().and_then(|saved| saved.cursor.as_ref());
    let condition = match value.map(|value| cursor.literal(&value.cursor)) {
        None => format!("{by} IS NOT NULL"),
        Some(value) => {
            let rest = format!("{from} WHERE {by} = {value}");
            let seen = digest(reader, connection, &rest, Emission::Nothing).await?;
            if seen == checkpoint.at_cursor {
                format!("{by} > {value}")
            } else {
                // Counted again as they arrive.
                checkpoint.at_cursor = Digest::default();
                format!("{by} >= {value}")
            }
        }
    };
    let rest = format!("{from} WHERE {condition} ORDER BY {by}");
    let forward = |records: &mut Records<'_>, extras: &Extras| {
        // Rows that share a value are read again together, so a state among them would send some twice.
        if records.state_is_due() && differs(&checkpoint, cursor, extras) {
            records.state(&checkpoint)?;
        }
        advance(&mut checkpoint, cursor, records, extras)
    };
    let cells = [cursor.cell()];
    let rows = reader
        .pass(connection, &cells, &rest, Emission::RowsLast, forward)
        .await?;
    if rows > 0
        && cursor.only_server_compares()
        && let Some(last) = &checkpoint.cursor
    {
        // The rows came in its order, but which of them share the last value it has to say.
        let rest = format!("{from} WHERE {by} = {}", cursor.literal(&last.cursor));
        checkpoint.at_cursor = digest(reader, connection, &rest, Emission::Nothing).await?;
    }
    reader.state(&checkpoint)
}

/// Passes over rows and adds them up.
async fn digest<R: TableReader>(
    reader: &mut R,
    connection: &mut R::Connection,
    rest: &str,
    emission: Emission,
) -> Result<Digest, Failure> {
    let mut digest = Digest::default();
    let add = |records: &mut Records<'_>, _: &Extras| {
        digest.add(records.row());
        Ok(())
    };
    reader.pass(connection, &[], rest, emission, add).await?;
    Ok(digest)
}

/// Whether a row's cursor is another value than that of the rows before, for the server as well.
fn differs(checkpoint: &Checkpoint, column: &impl CursorColumn, extras: &Extras) -> bool {
    let cell = extras.cells().next().flatten().unwrap_or_default();
    let (Some(before), Ok(value)) = (&checkpoint.cursor, std::str::from_utf8(cell)) else {
        return checkpoint.cursor.is_none();
    };
    if column.only_server_compares() {
        return differ_in_any_collation(&before.cursor, value);
    }
    !column.same(&before.cursor, value)
}

/// Whether texts differ by more than a collation may overlook: case, blanks at the end, accents.
pub(crate) fn differ_in_any_collation(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    plain(a) && plain(b) && !a.trim_end().eq_ignore_ascii_case(b.trim_end())
}

/// Takes the row that was written last into account.
fn advance(
    checkpoint: &mut Checkpoint,
    column: &impl CursorColumn,
    records: &Records<'_>,
    extras: &Extras,
) -> Result<(), Failure> {
    let cell = extras.cells().next().flatten().unwrap_or_default();
    let value = std::str::from_utf8(cell).map_err(|_| {
        let (name, stream) = (column.name(), records.stream());
        Failure::config(format!("a value of cursor {name} of {stream} is not UTF-8"))
    })?;
    let make = || {
        Ok(CursorValue {
            cursor: value.to_owned(),
            cursor_type: column.sql_type().to_owned(),
        })
    };
    checkpoint.take(records.row(), |mine| column.same(&mine.cursor, value), make)
}
