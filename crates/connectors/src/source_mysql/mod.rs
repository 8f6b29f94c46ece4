//! `source-mysql`: tables and views of a MySQL or MariaDB database as streams.

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

use airbyte_protocol::{Catalog, ConnectorSpecification, LogLevel, Message};
use secrecy::SecretString;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::failure::Failure;
use crate::output::Output;
use crate::server::{connection_properties, plain, ssl_mode, verifying};
use connect::connect;
use settings::SourceSettings;

pub(crate) use failure::of_database;
pub(crate) use read::read;

/// What the connector says about itself.
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
    let streams = found.tables.iter().map(tables::Table::to_stream).collect();
    output.send(&Message::catalog(Catalog { streams }))
}
