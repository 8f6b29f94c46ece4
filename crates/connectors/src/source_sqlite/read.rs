//! Reading the configured streams, one after the other, within one transaction.

use airbyte_protocol::{
    ConfiguredCatalog, ConfiguredStream, EstimateTrace, EstimateType, LogLevel, StateMessage,
    StreamDescriptor, StreamStatus, SyncMode, TraceMessage, TraceType,
};
use secrecy::SecretString;
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::checkpoint::Checkpoint;
use super::tables::{self, Column, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::source_sqlite::stream::{Emission, StreamReader};
use crate::sqlite::quoted;

/// Reads what the catalog configures, from where the state says.
///
/// # Errors
/// A stream that cannot be read is told as such and ends in an error, once all others are read:
/// a success would let the destination drop what it has of that stream.
pub(crate) async fn read(
    config: &SecretString,
    catalog: &str,
    state: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let catalog: ConfiguredCatalog = serde_json::from_str(catalog)
        .map_err(|e| Failure::config("the configured catalog cannot be understood").because(e))?;
    let states = states(state)?;
    let mut connection = super::connect(config).await?;
    sqlx::query("BEGIN").execute(&mut connection).await?;
    let found = tables::list(&mut connection).await?;
    let mut failures: Vec<(StreamDescriptor, Failure)> = Vec::new();
    for configured in &catalog.streams {
        let descriptor = configured.stream.descriptor();
        let saved = states
            .iter()
            .find(|(of, _)| *of == descriptor)
            .map(|(_, state)| &**state);
        let table = found.tables.iter().find(|table| is_of(table, &descriptor));
        output.status(&descriptor, StreamStatus::Started)?;
        let outcome = match table {
            Some(table) => read_stream(&mut connection, table, configured, saved, output).await,
            None => Err(Failure::config(format!(
                "the database has no table or view {descriptor}"
            ))),
        };
        match outcome {
            Ok(()) => output.status(&descriptor, StreamStatus::Complete)?,
            Err(failure) => {
                let failure = failure.in_stream(&descriptor);
                output.error(&failure)?;
                output.status(&descriptor, StreamStatus::Incomplete)?;
                failures.push((descriptor, failure));
            }
        }
    }
    sqlx::query("COMMIT").execute(&mut connection).await?;
    let Some((_, first)) = failures.first() else {
        return Ok(());
    };
    let names: Vec<String> = failures.iter().map(|(of, _)| of.to_string()).collect();
    let count = (failures.len(), catalog.streams.len());
    let message = format!(
        "{} of {} streams could not be read ({}): {}",
        count.0,
        count.1,
        names.join(", "),
        first.message
    );
    let mut whole = Failure::config(message);
    whole.kind = first.kind;
    Err(whole)
}

fn is_of(table: &Table, descriptor: &StreamDescriptor) -> bool {
    table.name == descriptor.name
        && descriptor
            .namespace
            .as_deref()
            .unwrap_or_default()
            .is_empty()
}

type States = Vec<(StreamDescriptor, Box<RawValue>)>;

/// The streams' states; an empty object is no state.
fn states(text: Option<&str>) -> Result<States, Failure> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
        .is_ok_and(|object| object.is_empty())
    {
        return Ok(Vec::new());
    }
    let messages: Vec<StateMessage> = serde_json::from_str(text)
        .map_err(|e| Failure::config("the state is not a list of stream states").because(e))?;
    let pair = |message: StateMessage| {
        let stream = message.stream?;
        Some((stream.stream_descriptor, stream.stream_state?))
    };
    Ok(messages.into_iter().filter_map(pair).collect())
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
                // Counted anew as they come.
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
    #[derive(serde::Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: serde_json::Map<String, serde_json::Value>,
    }
    let wanted = serde_json::from_str::<Schema>(schema.get()).map(|s| s.properties);
    let wanted = wanted.unwrap_or_default();
    let all = wanted.is_empty();
    let columns = table
        .columns
        .iter()
        .filter(|column| all || wanted.contains_key(&column.name));
    columns.cloned().collect()
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

/// Says how many rows there are. Views are left out: counting one can cost as much as reading it.
async fn estimate(
    connection: &mut SqliteConnection,
    table: &Table,
    condition: &str,
    bound: Option<&super::checkpoint::CursorValue>,
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
    let estimate = EstimateTrace {
        name: table.name.clone(),
        kind: EstimateType::Stream,
        namespace: None,
        row_estimate: Some(rows),
        byte_estimate: None,
    };
    output.trace(|emitted_at| TraceMessage {
        kind: TraceType::Estimate,
        emitted_at,
        error: None,
        estimate: Some(estimate),
        stream_status: None,
    })
}
