//! What both SQLite connectors share: their configuration, opening a database, quoting names.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::failure::Failure;
use crate::paths::Limits;

/// Rows that SQLite's thread reads ahead: fewer wake the reader for nearly every row.
const ROW_BUFFER: usize = 1024;

/// The table of the destination that is about its connections, not about data.
pub(crate) const OWN_TABLE: &str = "_airbyte_delivery";

/// How long another writer is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Config {
    path: String,
}

/// The database file of a configuration: its real path, if it may be touched.
pub(crate) fn database_path(config: &SecretString) -> Result<PathBuf, Failure> {
    let config: Config = serde_json::from_str(config.expose_secret()).map_err(|_| {
        Failure::config("the configuration needs \"path\", the path of a SQLite database file")
    })?;
    let path = Limits::from_environment()
        .resolve(&config.path)
        .map_err(Failure::config)?;
    if path.is_dir() {
        return Err(Failure::config(format!(
            "{} is a folder, not a database file",
            config.path
        )));
    }
    Ok(path)
}

/// Opens with those options, waiting so long for another writer.
pub(crate) async fn open(
    options: SqliteConnectOptions,
    busy_timeout: Duration,
) -> Result<SqliteConnection, Failure> {
    let options = options
        .busy_timeout(busy_timeout)
        .row_buffer_size(ROW_BUFFER)
        .foreign_keys(false)
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The configuration's JSON schema.
pub(crate) fn config_schema(title: &str, description: &str) -> serde_json::Value {
    serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "required": ["path"],
        "additionalProperties": true,
        "properties": {
            "path": {
                "title": "Path",
                "type": "string",
                "description": description,
                "examples": ["/data/shop.db"],
                "minLength": 1,
                "order": 0,
            },
        },
    })
}
