//! `destination-postgres`: streams as final tables of a PostgreSQL database.

mod cells;
mod columns;
mod gatherer;
mod json_text;
mod ledger;
mod moments;
mod names;
mod replace;
mod retype;
mod statements;
mod table;
mod target;
mod writer;
mod written;

use airbyte_protocol::{ConnectorSpecification, DestinationSyncMode};
use secrecy::SecretString;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::destination::{QUEUE, read, resume};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::{Config, connect, connection_properties, qualified, ssl_mode};
use crate::server::Settings;
use gatherer::Gatherer;
use ledger::Ledger;
use table::execute;
use target::{Target, targets};
use writer::Writer;

/// Settings of a session: waiting for a reader that locks a table would block all other readers.
const SETUP: &str = "SET lock_timeout = '5min'; SET check_function_bodies = off;";

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    let mut properties = connection_properties();
    properties.insert(
        "schema".to_owned(),
        json!({
            "title": "Default Schema", "type": "string", "order": 3, "default": "public",
            "examples": ["public"],
            "description": "The schema of streams that have no namespace. It is made when missing.",
        }),
    );
    properties.insert("ssl_mode".to_owned(), ssl_mode(8));
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Postgres Destination Spec",
        "type": "object",
        "required": ["host", "port", "database", "username"],
        "additionalProperties": true,
        "properties": properties,
    });
    ConnectorSpecification {
        connection_specification: to_raw_value(&schema).expect("a JSON literal serializes"),
        documentation_url: None,
        supports_incremental: Some(true),
        supported_destination_sync_modes: vec![
            DestinationSyncMode::Overwrite,
            DestinationSyncMode::Append,
            DestinationSyncMode::AppendDedup,
        ],
        advanced_auth: None,
        protocol_version: Some("0.2.0".to_owned()),
    }
}

fn settings(config: &SecretString) -> Result<(Config, String), Failure> {
    let settings = Settings::parse(config)?;
    let schema = settings.text("schema")?;
    let schema = schema.unwrap_or_else(|| "public".to_owned());
    Ok((Config::of(&settings)?, schema))
}

/// Makes sure that a table can be made in the schema; nothing stays behind.
pub(crate) async fn check(config: &SecretString) -> Result<(), Failure> {
    let (config, schema) = settings(config)?;
    let mut connection = connect(&config, SETUP).await?;
    execute(&mut connection, "BEGIN").await?;
    let name = format!("_airbyte_check_{}", uuid::Uuid::new_v4().simple());
    let table = qualified(&schema, &name);
    let trying = async {
        table::ensure_schema(&mut connection, &schema).await?;
        execute(&mut connection, format!("CREATE TABLE {table} (id bigint)")).await
    };
    let tried: Result<(), Failure> = trying.await;
    tried.map_err(|failure| {
        let user = &config.username;
        let message = format!(
            "\"username\" or \"schema\": user {user} cannot make a table in schema {schema}: {}",
            failure.message
        );
        Failure::config(message)
    })?;
    execute(&mut connection, "ROLLBACK").await
}

/// Writes stdin's records into tables and echoes states.
pub(crate) async fn write(
    config: &SecretString,
    catalog: &str,
    written_for: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let (config, schema) = settings(config)?;
    let mut targets = targets(catalog, &schema, written_for.is_some())?;
    let mut connection = connect(&config, SETUP).await?;
    let ledger = match written_for {
        Some(id) => Some(Ledger::open(&mut connection, &schema, id).await?),
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
    let mut writer = Writer::new(connection, targets.clone(), ledger, output).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel(QUEUE);
    let gatherer = |target: Target| (target.stream.clone(), Gatherer::new(target));
    let streams = targets.into_iter().map(gatherer).collect();
    let reader = std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(std::io::stdin().lock(), streams, sender))?;
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
