//! Reads the configured streams, one after the other, each in its own transaction: a snapshot of
//! all of them would keep the server from vacuuming or purging during the whole read.

use std::collections::HashSet;

use airbyte_protocol::{ConfiguredStream, StreamDescriptor, StreamStatus, SyncMode};
use secrecy::SecretString;
use serde_json::value::RawValue;
use sqlx::{Executor as _, PgConnection};

use super::settings::{Replication, SourceSettings};
use super::tables::{self, Table, Wanted};
use super::{cdc, full_refresh, incremental, xmin};
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{Outcomes, States, configured_catalog, send_estimate};

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
    let mut connection = settings.connect().await?;
    let mut outcomes = Outcomes::default();
    let mut captured = Vec::new();
    for configured in &catalog.streams {
        if matches!(settings.replication, Replication::Cdc(_))
            && configured.sync_mode == SyncMode::Incremental
        {
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
            // What state the session is in after a failed COPY is anybody's guess.
            connection = settings.connect().await?;
        }
    }
    drop(connection);
    if let Replication::Cdc(cdc) = &settings.replication
        && !captured.is_empty()
    {
        cdc::read(&settings, cdc, &captured, &states, &mut outcomes, output).await?;
    }
    outcomes.finish()
}

async fn stream(
    connection: &mut PgConnection,
    settings: &SourceSettings,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    connection
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let descriptor = configured.stream.descriptor();
    let table = find(connection, &descriptor).await?;
    if saved.is_none() {
        estimate(&table, output)?;
    }
    if configured.sync_mode == SyncMode::FullRefresh {
        // Beside a state of all streams there can be none of one.
        let resumable = !matches!(settings.replication, Replication::Cdc(_));
        full_refresh::read(connection, &table, configured, (saved, resumable), output).await?;
    } else if settings.replication == Replication::Xmin {
        xmin::read(connection, &table, configured, saved, output).await?;
    } else {
        incremental::read(connection, &table, configured, saved, output).await?;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}

/// The table of a stream.
pub(super) async fn find(
    connection: &mut PgConnection,
    descriptor: &StreamDescriptor,
) -> Result<Table, Failure> {
    let streams = HashSet::from([descriptor.clone()]);
    let mut found = tables::list(connection, Wanted::Streams(&streams)).await?;
    if let Some(name) = found.unreadable.first() {
        return Err(Failure::config(format!("the user may not read {name}")));
    }
    found
        .tables
        .pop()
        .ok_or_else(|| Failure::config(format!("the database has no table or view {descriptor}")))
}

/// Passes on the server's guess of how many rows there are: counting would cost as much as reading.
fn estimate(table: &Table, output: &mut Output) -> Result<(), Failure> {
    #[expect(clippy::cast_possible_truncation, reason = "a guess")]
    let rows = table.rows as i64;
    if rows <= 0 {
        return Ok(());
    }
    send_estimate(&table.descriptor(), rows, output)
}
