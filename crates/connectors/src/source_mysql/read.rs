//! Reads the configured streams, one after the other, each in its own transaction: a snapshot of
//! all of them would keep the server from vacuuming or purging during the whole read.

use airbyte_protocol::{ConfiguredStream, StreamDescriptor, StreamStatus, SyncMode};
use secrecy::SecretString;
use serde_json::value::RawValue;
use sqlx::MySqlConnection;

use super::cdc;
use super::columns::Column;
use super::connect::connect;
use super::settings::SourceSettings;
use super::sql::execute;
use super::stream::StreamReader;
use super::tables::{self, Table};
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{
    Emission, Outcomes, Progress, States, TableReader as _, configured_catalog, incremental, pages,
    send_estimate,
};

/// Reads what the catalog configures, starting at the state.
///
/// # Errors
/// As [`Outcomes::finish`].
pub(crate) async fn read(
    config: &SecretString,
    catalog: &str,
    state: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let settings = SourceSettings::parse(config)?;
    let catalog = configured_catalog(catalog)?;
    let states = States::parse(state)?;
    let mut connection = connect(&settings).await?;
    let mut outcomes = Outcomes::default();
    let mut captured = Vec::new();
    for configured in &catalog.streams {
        if settings.cdc.is_some() && configured.sync_mode == SyncMode::Incremental {
            captured.push(configured);
            continue;
        }
        let descriptor = configured.stream.descriptor();
        output.status(&descriptor, StreamStatus::Started)?;
        let saved = states.of(&descriptor);
        let outcome = stream(&mut connection, &settings, configured, saved, output).await;
        let failed = outcome.is_err();
        outcomes.add(&descriptor, outcome, output)?;
        if failed {
            // Rows of the stream that failed may still be on their way.
            connection = connect(&settings).await?;
        }
    }
    drop(connection);
    if let Some(cdc) = settings.cdc
        && !captured.is_empty()
    {
        cdc::read(&settings, cdc, &captured, &states, &mut outcomes, output).await?;
    }
    outcomes.finish()
}

async fn stream(
    connection: &mut MySqlConnection,
    settings: &SourceSettings,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    let table = find(connection, settings, &configured.stream.descriptor()).await?;
    // The snapshot comes after the look at the columns: when they change in between, the server
    // refuses to read.
    execute(
        connection,
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    )
    .await?;
    if saved.is_none()
        && let Some(rows) = table.rows.filter(|rows| *rows > 0)
    {
        send_estimate(&table.descriptor(), rows, output)?;
    }
    if configured.sync_mode == SyncMode::FullRefresh {
        // Beside a state of all streams there can be none of one.
        let resumable = settings.cdc.is_none();
        full_refresh(connection, &table, configured, (saved, resumable), output).await?;
    } else {
        let cursor = cursor(&table, configured)?;
        let restored = incremental::restored(&table.name, cursor, saved, output)?;
        let mut reader = StreamReader::new(&table, configured, output);
        incremental::read(connection, &table.whole(), cursor, restored, &mut reader).await?;
    }
    execute(connection, "COMMIT").await
}

/// Reads a table to its end, starting at the state; emits no states if it has no key.
async fn full_refresh(
    connection: &mut MySqlConnection,
    table: &Table,
    configured: &ConfiguredStream,
    (saved, resumable): (Option<&RawValue>, bool),
    output: &mut Output,
) -> Result<(), Failure> {
    if !table.is_resumable() || !resumable {
        let mut reader = StreamReader::new(table, configured, output);
        let whole = table.whole();
        reader
            .pass(connection, &[], &whole, Emission::Rows, |_, _| Ok(()))
            .await?;
        return Ok(());
    }
    let mut progress = Progress::restored(table, saved, output)?;
    let mut reader = StreamReader::new(table, configured, output);
    pages(
        connection,
        table,
        &mut reader,
        "TRUE",
        &mut progress,
        Progress::clone,
    )
    .await?;
    reader.state(&progress)
}

/// The table of a stream.
pub(super) async fn find(
    connection: &mut MySqlConnection,
    settings: &SourceSettings,
    descriptor: &StreamDescriptor,
) -> Result<Table, Failure> {
    let found = tables::list(connection, Some(&descriptor.name), settings.tiny_is_boolean).await?;
    if let Some(name) = found.unreadable.first() {
        return Err(Failure::config(format!("the user may not read {name}")));
    }
    let mut tables = found.tables.into_iter();
    tables
        .find(|table| table.descriptor() == *descriptor)
        .ok_or_else(|| Failure::config(format!("the database has no table or view {descriptor}")))
}

fn cursor<'t>(table: &'t Table, configured: &ConfiguredStream) -> Result<&'t Column, Failure> {
    let name = table.descriptor();
    let [field] = configured.cursor_field.as_slice() else {
        return Err(Failure::config(format!(
            "table {name} is to be read incrementally: a cursor column is needed"
        )));
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
