//! Full refreshes. A table with a key is read in the key's order, a page at a time, so that the
//! state can say how far it came; anything else in one go.

use airbyte_protocol::{ConfiguredStream, LogLevel};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::stream::{Emission, StreamReader, extra_cells};
use super::tables::{Column, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::{literal, quoted};

/// Rows of a page: enough that its query costs little per row, few enough that the server reads
/// along an index instead of sorting the table.
const PAGE_ROWS: u64 = 50_000;

/// How far a full refresh came: the key of the last row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Names of the key's columns.
    pub(super) key: Vec<String>,
    /// Their values, as the server writes them; nothing before the first row.
    pub(super) after: Option<Vec<String>>,
}

/// Reads a table to its end, from where the state says; without states where it is not resumable.
pub(super) async fn read(
    connection: &mut PgConnection,
    table: &Table,
    configured: &ConfiguredStream,
    (saved, resumable): (Option<&RawValue>, bool),
    output: &mut Output,
) -> Result<(), Failure> {
    if table.key.is_empty() || !resumable {
        let mut reader = StreamReader::new(table, configured, output);
        let copy = reader.copy(&[], &format!("FROM {}", table.sql()));
        reader
            .pass(connection, &copy, Emission::Rows, |_, _| Ok(()))
            .await?;
        return Ok(());
    }
    let restored = saved.and_then(|state| serde_json::from_str::<Progress>(state.get()).ok());
    let restored = restored.filter(|progress| progress.key == table.key);
    if saved.is_some_and(|state| state.get() != "{}") && restored.is_none() {
        let text = format!(
            "the state of {} is not about its key: all rows are read",
            table.name
        );
        output.log(LogLevel::Warn, text)?;
    }
    let mut progress = restored.unwrap_or_else(|| Progress {
        key: table.key.clone(),
        after: None,
    });
    let mut reader = StreamReader::new(table, configured, output);
    pages(connection, table, &mut reader, "true", &mut progress, |p| {
        p.clone()
    })
    .await?;
    reader.records.state(&progress)
}

/// Reads pages that meet the condition from where the progress says; `state` makes a state of it
/// now and then.
pub(super) async fn pages<S: Serialize>(
    connection: &mut PgConnection,
    table: &Table,
    reader: &mut StreamReader<'_>,
    condition: &str,
    progress: &mut Progress,
    state: impl Fn(&Progress) -> S,
) -> Result<(), Failure> {
    let key = table.key_columns();
    let names: Vec<String> = key.iter().map(|column| quoted(&column.name)).collect();
    let names = names.join(", ");
    let mut last = Vec::new();
    loop {
        let from = match &progress.after {
            None => String::new(),
            Some(values) => format!(" AND ({names}) > ({})", literals(&key, values)),
        };
        let rest = format!(
            "FROM {} WHERE {condition}{from} ORDER BY {names} LIMIT {PAGE_ROWS}",
            table.sql()
        );
        let columns = reader.columns();
        let keys: Vec<String> = key.iter().map(|column| quoted(&column.name)).collect();
        let copy = reader.copy(&keys, &rest);
        last.clear();
        let rows = reader
            .pass(connection, &copy, Emission::Rows, |records, row| {
                last.clear();
                last.extend_from_slice(row.line);
                if records.state_is_due() {
                    progress.after = Some(values(&last, columns)?);
                    records.state(&state(progress))?;
                }
                Ok(())
            })
            .await?;
        if !last.is_empty() {
            progress.after = Some(values(&last, columns)?);
        }
        if rows < PAGE_ROWS {
            return Ok(());
        }
    }
}

fn literals(key: &[&Column], values: &[String]) -> String {
    let pairs = key.iter().zip(values);
    let cast = pairs.map(|(column, value)| format!("{}::{}", literal(value), column.sql_type));
    cast.collect::<Vec<_>>().join(", ")
}

fn values(line: &[u8], columns: usize) -> Result<Vec<String>, Failure> {
    let text = |cell: Option<Vec<u8>>| cell.and_then(|bytes| String::from_utf8(bytes).ok());
    let values: Option<Vec<String>> = extra_cells(line, columns).into_iter().map(text).collect();
    values.ok_or_else(|| Failure::system("a key is null or not UTF-8"))
}
