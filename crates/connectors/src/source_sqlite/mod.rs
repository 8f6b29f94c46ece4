//! `source-sqlite`: tables and views of a SQLite database as streams.

mod cursor;
mod moments;
mod read;
mod rows;
mod stream;
mod tables;
mod types;

use airbyte_protocol::{Catalog, ConnectorSpecification, Message};
use secrecy::SecretString;
use serde_json::value::to_raw_value;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;

use crate::failure::Failure;
use crate::output::Output;
use crate::sqlite::{BUSY_TIMEOUT, config_schema, database_path, open};

pub(crate) use read::read;

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    let schema = config_schema(
        "SQLite source",
        "The database file to read. It is opened read-only and never created.",
    );
    ConnectorSpecification {
        connection_specification: to_raw_value(&schema).expect("a JSON literal serializes"),
        documentation_url: None,
        supports_incremental: Some(true),
        supported_destination_sync_modes: Vec::new(),
        advanced_auth: None,
        protocol_version: Some("0.2.0".to_owned()),
    }
}

/// Opens the database and looks at its schema.
pub(crate) async fn check(config: &SecretString) -> Result<(), Failure> {
    connect(config).await.map(drop)
}

/// Writes the catalog.
pub(crate) async fn discover(config: &SecretString, output: &mut Output) -> Result<(), Failure> {
    let mut connection = connect(config).await?;
    let found = tables::list(&mut connection).await?;
    for (name, why) in &found.unreadable {
        let text = format!("view {name} is left out, it cannot be read: {why}");
        output.log(airbyte_protocol::LogLevel::Warn, text)?;
    }
    let streams = found.tables.iter().map(tables::Table::to_stream).collect();
    output.send(&Message::catalog(Catalog { streams }))
}

/// Opens the database read-only and makes sure that it is one.
async fn connect(config: &SecretString) -> Result<SqliteConnection, Failure> {
    let path = database_path(config)?;
    if !path.exists() {
        let shown = path.display();
        return Err(Failure::config(format!(
            "the database file {shown} does not exist"
        )));
    }
    let options = SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut connection = open(options.clone(), BUSY_TIMEOUT).await?;
    if let Err(first) = probe(&mut connection).await {
        // A database in WAL mode whose folder may not be written cannot be opened beside writers;
        // without a log there are none, so that it can be read as a file that does not change.
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let settled = std::fs::metadata(log).map_or(true, |log| log.len() == 0);
        if !settled {
            return Err(first);
        }
        connection = open(options.immutable(true), BUSY_TIMEOUT).await?;
        probe(&mut connection).await.map_err(|_| first)?;
    }
    Ok(connection)
}

async fn probe(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let encoding: String = sqlx::query_scalar("PRAGMA encoding")
        .fetch_one(&mut *connection)
        .await?;
    let _tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(connection)
        .await?;
    if encoding == "UTF-8" {
        return Ok(());
    }
    Err(Failure::config(format!(
        "the database is encoded in {encoding}; only UTF-8 is read"
    )))
}
