//! `source-mysql`: tables and views of a MySQL or MariaDB database as streams.

mod cdc;
mod cells;
mod columns;
mod connect;
mod failure;
mod read;
mod settings;
mod sql;
mod stream;
mod tables;
mod types;

use airbyte_protocol::{Catalog, ConnectorSpecification, LogLevel, Message, Stream, SyncMode};
use secrecy::SecretString;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::failure::Failure;
use crate::output::Output;
use crate::server::{connection_properties, plain, ssl_mode, verifying};
use connect::connect;
use settings::SourceSettings;
use tables::Table;

pub(crate) use failure::of_database;
pub(crate) use read::read;

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    let mut properties = connection_properties(
        3306,
        "connectTimeout (milliseconds), tinyInt1isBit and zeroDateTimeBehavior=CONVERT_TO_NULL",
    );
    let modes = [
        plain("preferred", "Encrypted if the server can. The default."),
        plain(
            "required",
            "Always encrypted; the server's certificate is not verified.",
        ),
        verifying(
            "verify_ca",
            "Always encrypted; the certificate has to be trusted.",
        ),
        verifying(
            "verify_identity",
            "Always encrypted; the certificate has to be trusted and to name the host.",
        ),
    ];
    properties.insert("ssl_mode".to_owned(), ssl_mode(7, &modes));
    properties.insert(
        "replication_method".to_owned(),
        json!({
            "title": "Update Method", "type": "object", "order": 9,
            "description": "How changes are found.",
            "default": { "method": "STANDARD" },
            "oneOf": [{
                "title": "Scan Changes with User Defined Cursor",
                "description": "By a column whose value grows with every change. Deletions are not seen.",
                "required": ["method"],
                "properties": { "method": { "type": "string", "const": "STANDARD", "order": 0 } },
            }, {
                "title": "Read Changes using Change Data Capture (CDC)",
                "description": "By the server's binary log, deletions included.",
                "required": ["method"],
                "properties": {
                    "method": { "type": "string", "const": "CDC", "order": 0 },
                    "initial_waiting_seconds": {
                        "title": "Initial Waiting Time in Seconds", "type": "integer", "order": 1,
                        "default": 300, "minimum": 120, "maximum": 1200,
                        "description": "Accepted and not needed: a read ends where the log ended when it began.",
                    },
                    "server_timezone": {
                        "title": "Server Timezone", "type": "string", "order": 2,
                        "description": "Accepted and not needed: sessions are in UTC.",
                    },
                    "invalid_cdc_cursor_position_behavior": {
                        "title": "Invalid CDC position behavior", "type": "string", "order": 3,
                        "enum": ["Fail sync", "Re-sync data"], "default": "Fail sync",
                        "description": "What to do when the log lost changes that were not read.",
                    },
                },
            }],
        }),
    );
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "MySql Source Spec",
        "type": "object",
        "required": ["host", "port", "database", "username"],
        "additionalProperties": true,
        "properties": properties,
    });
    ConnectorSpecification {
        connection_specification: to_raw_value(&schema).expect("a JSON literal serializes"),
        documentation_url: None,
        supports_incremental: Some(true),
        supported_destination_sync_modes: Vec::new(),
        advanced_auth: None,
        protocol_version: Some("0.2.0".to_owned()),
    }
}

/// Connects, and looks at what there is to read.
///
/// # Errors
/// As connecting; also when there is nothing that may be read.
pub(crate) async fn check(config: &SecretString) -> Result<(), Failure> {
    let settings = SourceSettings::parse(config)?;
    let mut connection = connect(&settings).await?;
    if settings.cdc.is_some() {
        cdc::end_of_log(&mut connection).await?;
    }
    let found = tables::list(&mut connection, None, settings.tiny_is_boolean).await?;
    if found.tables.is_empty() && !found.unreadable.is_empty() {
        let names = found.unreadable.join(", ");
        return Err(Failure::config(format!(
            "\"username\": the user may read none of the tables ({names})"
        )));
    }
    Ok(())
}

/// Writes the catalog.
pub(crate) async fn discover(config: &SecretString, output: &mut Output) -> Result<(), Failure> {
    let settings = SourceSettings::parse(config)?;
    let mut connection = connect(&settings).await?;
    let found = tables::list(&mut connection, None, settings.tiny_is_boolean).await?;
    for name in &found.unreadable {
        let text = format!("{name} is left out: it has no column that the user may read");
        output.log(LogLevel::Warn, text)?;
    }
    let tables = found.tables.into_iter();
    let streams = tables.map(|table| offered(table, settings.cdc.is_some()));
    let streams = streams.collect();
    output.send(&Message::catalog(Catalog { streams }))
}

/// The table as a stream, read the way that is configured.
fn offered(mut table: Table, by_log: bool) -> Stream {
    if !by_log {
        return table.to_stream();
    }
    let is_captured = !table.key.is_empty();
    if is_captured {
        table.columns.extend(cdc::columns(&cdc::Position::none()));
    }
    let mut stream = table.to_stream();
    stream.supported_sync_modes = vec![SyncMode::FullRefresh];
    stream.default_cursor_field = Vec::new();
    if is_captured {
        stream.supported_sync_modes.push(SyncMode::Incremental);
        stream.default_cursor_field.push(cdc::CURSOR.to_owned());
    }
    stream.source_defined_cursor = Some(is_captured);
    stream.is_resumable = Some(is_captured);
    stream
}
