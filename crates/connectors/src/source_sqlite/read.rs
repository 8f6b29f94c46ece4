//! Reading the configured streams, one after the other, within one transaction.

use airbyte_protocol::{ConfiguredStream, LogLevel, StreamDescriptor, StreamStatus, SyncMode};
use secrecy::SecretString;
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::cursor::CursorValue;
use super::stream::{Checkpoint, Emission, StreamReader};
use super::tables::{self, Column, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{Outcomes, States, configured_catalog, selected_properties, send_estimate};
use crate::sqlite::quoted;

/// Reads what the catalog configures, starting at the state.
///
/// # Errors
/// If a stream cannot be read. The error is returned after all other streams were read; a success
/// would let the destination drop the stream's existing rows.
pub(crate) async fn read(
    config: &SecretString,
    catalog: &str,
    state: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let catalog = configured_catalog(catalog)?;
    let states = States::parse(state)?;
    let mut connection = super::connect(config).await?;
    sqlx::query("BEGIN").execute(&mut connection).await?;
    let found = tables::list(&mut connection).await?;
    let mut outcomes = Outcomes::default();
    for configured in &catalog.streams {
        let descriptor = configured.stream.descriptor();
        let saved = states.of(&descriptor);
        let table = found.tables.iter().find(|table| is_of(table, &descriptor));
        output.status(&descriptor, StreamStatus::Started)?;
        let outcome = match table {
            Some(table) => read_stream(&mut connection, table, configured, saved, output).await,
            None => Err(Failure::config(format!(
                "the database has no table or view {descriptor}"
            ))),
        };
        outcomes.add(&descriptor, outcome, output)?;
    }
    sqlx::query("COMMIT").execute(&mut connection).await?;
    outcomes.finish()
}

fn is_of(table: &Table, descriptor: &StreamDescriptor) -> bool {
    table.name == descriptor.name
        && descriptor
            .namespace
            .as_deref()
            .unwrap_or_default()
            .is_empty()
}

async fn read_stream(
    connection: &mut SqliteConnection,
    table: &Table,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    let columns = chosen(table, &configured.stream.json_schema);
    if configured.sync_mode == SyncMode::FullRefresh {
        let list = columns
            .iter()
            .map(|column| quoted(&column.name))
            .collect::<Vec<_>>()
            .join(", ");
        let list = if list.is_empty() {
            "NULL".to_owned()
        } else {
            list
        };
        let from = quoted(&table.name);
        estimate(connection, table, "", None, output).await?;
        let mut reader = StreamReader::new(configured, &columns, output);
        let sql = format!("SELECT {list} FROM {from}");
        reader
            .pass(connection, sql, None, Emission::Rows, None)
            .await?;
        return Ok(());
    }
    let cursor = cursor(table, configured)?;
    incremental(
        connection, table, configured, &columns, cursor, saved, output,
    )
    .await
}

async fn incremental(
    connection: &mut SqliteConnection,
    table: &Table,
    configured: &ConfiguredStream,
    columns: &[Column],
    cursor: &Column,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    let by = quoted(&cursor.name);
    let mut list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    list.push(by.clone());
    let select = format!("SELECT {} FROM {}", list.join(", "), quoted(&table.name));
    let restored = saved.and_then(|state| Checkpoint::saved(state, &cursor.name));
    if saved.is_some() && restored.is_none() {
        let text = format!(
            "the state of {} is not about {by}: all rows are read",
            table.name
        );
        output.log(LogLevel::Warn, text)?;
    }
    let Some(saved) = restored else {
        estimate(connection, table, "", None, output).await?;
        let mut reader = StreamReader::new(configured, columns, output);
        let mut checkpoint = Checkpoint::new(&cursor.name);
        let sql = format!("{select} ORDER BY {by}");
        let emission = Emission::RowsAndStates;
        reader
            .pass(connection, sql, None, emission, Some(&mut checkpoint))
            .await?;
        return reader.state(&checkpoint);
    };
    let mut reader = StreamReader::new(configured, columns, output);
    let mut checkpoint = saved.clone();
    if cursor.nullable {
        let sql = format!("{select} WHERE {by} IS NULL");
        let mut seen = Checkpoint::new(&cursor.name);
        reader
            .pass(
                connection,
                sql.clone(),
                None,
                Emission::Nothing,
                Some(&mut seen),
            )
            .await?;
        if seen.without_cursor != saved.without_cursor {
            reader
                .pass(connection, sql, None, Emission::Rows, None)
                .await?;
            checkpoint.without_cursor = seen.without_cursor;
        }
    }
    let (condition, bound) = match &saved.cursor {
        None => (format!("{by} IS NOT NULL"), None),
        Some(value) => {
            let sql = format!("{select} WHERE {by} = ?");
            let mut seen = Checkpoint::new(&cursor.name);
            reader
                .pass(
                    connection,
                    sql,
                    Some(value),
                    Emission::Nothing,
                    Some(&mut seen),
                )
                .await?;
            if seen.at_cursor == saved.at_cursor {
                (format!("{by} > ?"), Some(value))
            } else {
                // Counted again as they arrive.
                checkpoint.at_cursor = Default::default();
                (format!("{by} >= ?"), Some(value))
            }
        }
    };
    drop(reader);
    estimate(
        connection,
        table,
        &format!(" WHERE {condition}"),
        bound,
        output,
    )
    .await?;
    let mut reader = StreamReader::new(configured, columns, output);
    let sql = format!("{select} WHERE {condition} ORDER BY {by}");
    let emission = Emission::RowsAndStates;
    reader
        .pass(connection, sql, bound, emission, Some(&mut checkpoint))
        .await?;
    reader.state(&checkpoint)
}

/// The configured schema's columns that the table has; all where the schema names none.
fn chosen(table: &Table, schema: &RawValue) -> Vec<Column> {
    let selected = selected_properties(schema);
    let is_chosen = |column: &&Column| {
        selected
            .as_ref()
            .is_none_or(|names| names.contains(&column.name))
    };
    table.columns.iter().filter(is_chosen).cloned().collect()
}

fn cursor<'t>(table: &'t Table, configured: &ConfiguredStream) -> Result<&'t Column, Failure> {
    let name = &table.name;
    let [field] = configured.cursor_field.as_slice() else {
        let message =
            format!("table {name} is to be read incrementally: a cursor column is needed");
        return Err(Failure::config(message));
    };
    let column = table.column(field).ok_or_else(|| {
        Failure::config(format!("table {name} has no column {field} for a cursor"))
    })?;
    if column.kind.orders() {
        return Ok(column);
    }
    Err(Failure::config(format!(
        "column {field} of table {name} has no order to read by"
    )))
}

/// Reports how many rows there are. Views are skipped, because counting one can cost as much as
/// reading it.
async fn estimate(
    connection: &mut SqliteConnection,
    table: &Table,
    condition: &str,
    bound: Option<&CursorValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    if table.is_view {
        return Ok(());
    }
    let sql = format!("SELECT count(*) FROM {}{condition}", quoted(&table.name));
    let query = sqlx::query_scalar(AssertSqlSafe(sql));
    let rows: i64 = super::stream::bind_scalar(query, bound)
        .fetch_one(connection)
        .await?;
    let stream = StreamDescriptor {
        name: table.name.clone(),
        namespace: None,
    };
    send_estimate(&stream, rows, output)
}
