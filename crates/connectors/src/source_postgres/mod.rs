//! `source-postgres`: tables and views of a PostgreSQL database as streams.

mod arrays;
mod cells;
mod full_refresh;
mod incremental;
mod read;
mod rows;
mod settings;
mod stream;
mod tables;
mod types;
mod xmin;

use airbyte_protocol::{Catalog, ConnectorSpecification, LogLevel, Message, Stream, SyncMode};
use secrecy::SecretString;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::{connection_properties, ssl_mode};
use settings::{Replication, SourceSettings};
use tables::{Table, Wanted};

pub(crate) use read::read;

/// What the connector says about itself.
pub(crate) fn spec() -> ConnectorSpecification {
    let mut properties = connection_properties();
    properties.insert(
        "schemas".to_owned(),
        json!({
            "title": "Schemas", "type": "array", "order": 3, "uniqueItems": true,
            "items": { "type": "string" },
            "description": "The schemas to read, by their exact names; all but the system's when none is given.",
        }),
    );
    properties.insert("ssl_mode".to_owned(), ssl_mode(8));
    let method = |name: &str, title: &str, description: &str| {
        json!({
            "title": title, "description": description, "required": ["method"],
            "properties": { "method": { "type": "string", "const": name, "order": 0 } },
        })
    };
    properties.insert(
        "replication_method".to_owned(),
        json!({
            "title": "Update Method", "type": "object", "order": 9,
            "description": "How changes are found.",
            "default": { "method": "Standard" },
            "oneOf": [
                method("Standard", "Scan Changes with User Defined Cursor",
                    "By a column whose value grows with every change. Deletions are not seen."),
                method("Xmin", "Detect Changes with Xmin System Column",
                    "By the number of the transaction that wrote a row. Deletions are not seen."),
            ],
        }),
    );
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Postgres Source Spec",
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
    let mut connection = settings.connect().await?;
    let wanted = Wanted::Schemas(settings.schemas.as_deref());
    let found = tables::list(&mut connection, wanted).await?;
    if found.tables.is_empty() && !found.unreadable.is_empty() {
        let names = found.unreadable.join(", ");
        return Err(Failure::config(format!(
            "\"username\": the user may read none of the tables ({names})"
        )));
    }
    if let Some(schemas) = &settings.schemas {
        let missing: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS \
             (SELECT FROM pg_namespace WHERE nspname = name)",
        )
        .bind(schemas)
        .fetch_all(&mut connection)
        .await?;
        if !missing.is_empty() {
            let names = missing.join(", ");
            return Err(Failure::config(format!(
                "\"schemas\": the database has no schema {names}"
            )));
        }
    }
    Ok(())
}

/// Writes the catalog.
pub(crate) async fn discover(config: &SecretString, output: &mut Output) -> Result<(), Failure> {
    let settings = SourceSettings::parse(config)?;
    let mut connection = settings.connect().await?;
    let wanted = Wanted::Schemas(settings.schemas.as_deref());
    let found = tables::list(&mut connection, wanted).await?;
    for name in &found.unreadable {
        let text = format!("{name} is left out: the user may not read it");
        output.log(LogLevel::Warn, text)?;
    }
    let stream = |table: &Table| offered(table, &settings.replication);
    let streams = found.tables.iter().map(stream).collect();
    output.send(&Message::catalog(Catalog { streams }))
}

/// The table as a stream, read the way that is configured.
fn offered(table: &Table, replication: &Replication) -> Stream {
    let mut stream = table.to_stream();
    if *replication == Replication::Standard {
        return stream;
    }
    stream.supported_sync_modes = vec![SyncMode::FullRefresh];
    stream.default_cursor_field = Vec::new();
    if table.has_xmin() {
        stream.supported_sync_modes.push(SyncMode::Incremental);
        stream.source_defined_cursor = Some(true);
    }
    stream
}
