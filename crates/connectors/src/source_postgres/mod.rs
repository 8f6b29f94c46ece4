//! `source-postgres`: tables and views of a PostgreSQL database as streams.

mod arrays;
mod cdc;
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

use std::collections::HashSet;

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

/// The connector's specification.
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
                {
                    "title": "Read Changes using Write-Ahead Log (CDC)",
                    "description": "By the server's log, deletions included.",
                    "required": ["method", "replication_slot", "publication"],
                    "properties": {
                        "method": { "type": "string", "const": "CDC", "order": 0 },
                        "plugin": {
                            "title": "Plugin", "type": "string", "order": 1,
                            "enum": ["pgoutput"], "default": "pgoutput",
                            "description": "The slot's plugin.",
                        },
                        "replication_slot": {
                            "title": "Replication Slot", "type": "string", "order": 2,
                            "description": "Name of a logical replication slot of the database.",
                        },
                        "publication": {
                            "title": "Publication", "type": "string", "order": 3,
                            "description": "Name of a publication; its tables can be read incrementally.",
                        },
                        "initial_waiting_seconds": {
                            "title": "Initial Waiting Time in Seconds", "type": "integer", "order": 4,
                            "default": 1200, "minimum": 120, "maximum": 2400,
                            "description": "Accepted and not needed: a read ends where the log ended when it began.",
                        },
                        "lsn_commit_behaviour": {
                            "title": "LSN commit behaviour", "type": "string", "order": 6,
                            "enum": ["After loading Data in the destination"],
                            "default": "After loading Data in the destination",
                            "description": "The slot moves on only for what was stored.",
                        },
                        "invalid_cdc_cursor_position_behavior": {
                            "title": "Invalid CDC position behavior", "type": "string", "order": 8,
                            "enum": ["Fail sync", "Re-sync data"], "default": "Fail sync",
                            "description": "What to do when the slot lost changes that were not read.",
                        },
                    },
                },
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
    if let Replication::Cdc(cdc) = &settings.replication {
        cdc::inspect(&mut connection, cdc).await?;
    }
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
    let mut published = HashSet::new();
    if let Replication::Cdc(cdc) = &settings.replication {
        cdc::inspect(&mut connection, cdc).await?;
        let pairs = cdc::published(&mut connection, cdc).await?;
        published.extend(pairs.into_iter().flat_map(|(table, root)| [table, root]));
    }
    let stream = |table: Table| {
        let is_published = published.contains(&i64::from(table.oid));
        offered(table, &settings.replication, is_published)
    };
    let streams = found.tables.into_iter().map(stream).collect();
    output.send(&Message::catalog(Catalog { streams }))
}

/// The table as a stream, read the way that is configured.
fn offered(mut table: Table, replication: &Replication, published: bool) -> Stream {
    let mut modes = vec![SyncMode::FullRefresh];
    let mut cursor = Vec::new();
    match replication {
        Replication::Standard => return table.to_stream(),
        Replication::Xmin if table.has_xmin() => modes.push(SyncMode::Incremental),
        Replication::Cdc(_) if published && !table.key.is_empty() => {
            modes.push(SyncMode::Incremental);
            let added = cdc::columns(cdc::Lsn(0));
            cursor.push(added[0].name.clone());
            table.columns.extend(added);
        }
        Replication::Xmin | Replication::Cdc(_) => {}
    }
    let mut stream = table.to_stream();
    stream.source_defined_cursor = Some(modes.len() > 1);
    stream.supported_sync_modes = modes;
    stream.default_cursor_field = cursor;
    if matches!(replication, Replication::Cdc(_)) {
        stream.is_resumable = Some(stream.source_defined_cursor == Some(true));
    }
    stream
}
