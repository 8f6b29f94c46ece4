//! `destination-sqlite`: streams as final tables of a SQLite database.

mod cells;
mod columns;
mod ledger;
mod records;
mod statements;
mod table;
mod target;
mod writer;
mod written;

use airbyte_protocol::{ConnectorSpecification, DestinationSyncMode};
use secrecy::SecretString;
use serde_json::value::to_raw_value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};

use crate::destination::{QUEUE, read, resume};
use crate::failure::Failure;
use crate::output::Output;
use crate::sqlite::{BUSY_TIMEOUT, config_schema, database_path, open};
use ledger::Ledger;
use records::Gatherer;
use target::{Target, targets};
use writer::Writer;

/// How long a check waits for a sync that is writing.
const PROBE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    let schema = config_schema(
        "SQLite destination",
        "The database file to write. It is created if it does not exist; its folder has to.",
    );
    ConnectorSpecification {
        connection_specification: to_raw_value(&schema).expect("a JSON literal serializes"),
        documentation_url: None,
        supports_incremental: Some(true),
        supported_destination_sync_modes: vec![
            DestinationSyncMode::Append,
            DestinationSyncMode::Overwrite,
            DestinationSyncMode::AppendDedup,
        ],
        advanced_auth: None,
        protocol_version: Some("0.2.0".to_owned()),
    }
}

/// Makes sure that the database can be written; a file that was made for it is removed again.
pub(crate) async fn check(config: &SecretString) -> Result<(), Failure> {
    let path = database_path(config)?;
    let existed = path.exists();
    let verdict = probe(&path).await;
    if !existed {
        // Leaving an empty file behind would be the only harm.
        let _ = std::fs::remove_file(&path);
    }
    verdict
}

async fn probe(path: &std::path::Path) -> Result<(), Failure> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = open(options, PROBE_TIMEOUT).await?;
    let _tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await?;
    match sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut connection)
        .await
        .map_err(Failure::from)
    {
        Ok(_) => {
            sqlx::query("ROLLBACK").execute(&mut connection).await?;
        }
        // A sync that is writing shows that the database can be written.
        Err(busy) if busy.kind == airbyte_protocol::FailureType::TransientError => {}
        Err(other) => return Err(other),
    }
    Ok(connection.close().await?)
}

/// Writes stdin's records into tables and echoes states.
pub(crate) async fn write(
    config: &SecretString,
    catalog: &str,
    written_for: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut targets = targets(catalog, written_for.is_some())?;
    let mut connection = connect(config).await?;
    let ledger = match written_for {
        Some(id) => Some(Ledger::open(&mut connection, id).await?),
        None => None,
    };
    for target in &mut targets {
        let stream = target.stream.clone();
        table::prepare(&mut connection, target)
            .await
            .map_err(|e| e.in_stream(&stream))?;
    }
    if let Some(ledger) = &ledger {
        resume(&ledger.committed, output)?;
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(QUEUE);
    let reader = {
        let gatherer = |target: &Target| (target.stream.clone(), Gatherer::new(target.clone()));
        let streams = targets.iter().map(gatherer).collect();
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || read(std::io::stdin().lock(), streams, sender))?
    };
    let mut writer = Writer::new(connection, targets, ledger, output);
    writer.consume(receiver).await?;
    let read = reader
        .join()
        .map_err(|_| Failure::system("reading the input failed"))?;
    if let Err(failure) = read {
        writer.abandon().await?;
        return Err(failure);
    }
    writer.finish().await
}

async fn connect(config: &SecretString) -> Result<SqliteConnection, Failure> {
    let path = database_path(config)?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", "-32768")
        // A table is replaced by dropping and renaming; people's views of it are to survive that.
        .pragma("legacy_alter_table", "ON");
    open(options, BUSY_TIMEOUT).await
}
