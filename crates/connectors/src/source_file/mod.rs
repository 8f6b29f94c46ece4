//! `source-file`: CSV, JSONL and Parquet files of this machine as streams.

mod cells;
mod config;
mod csv_rows;
mod input;
mod jsonl_rows;
mod kinds;
mod locate;
mod parquet_rows;
mod parquet_types;
mod progress;
mod read;
mod sample;

use airbyte_protocol::{Catalog, ConnectorSpecification, Message, Stream, SyncMode};
use secrecy::SecretString;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::output::Output;
use config::Config;
use kinds::Kind;
use locate::{Located, locate, nothing};
use sample::Sampled;

pub(crate) use read::read;

/// Columns that every record has, named as Airbyte's file sources name them.
const MODIFIED: &str = "_ab_source_file_last_modified";
const URL: &str = "_ab_source_file_url";

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    ConnectorSpecification {
        connection_specification: to_raw_value(&config::schema())
            .expect("a JSON literal serializes"),
        documentation_url: None,
        supports_incremental: Some(true),
        supported_destination_sync_modes: Vec::new(),
        advanced_auth: None,
        protocol_version: Some("0.2.0".to_owned()),
    }
}

/// Finds the files and looks at the beginning of each.
pub(crate) fn check(config: &SecretString) -> Result<(), Failure> {
    found(config).map(drop)
}

/// Writes the catalog.
pub(crate) fn discover(config: &SecretString, output: &mut Output) -> Result<(), Failure> {
    let streams = found(config)?;
    let streams = streams
        .into_iter()
        .map(|(located, columns)| stream(located, columns));
    output.send(&Message::catalog(Catalog {
        streams: streams.collect(),
    }))
}

fn found(config: &SecretString) -> Result<Vec<(Located, Vec<Sampled>)>, Failure> {
    let mut streams = Vec::new();
    for located in locate(&Config::parse(config)?)? {
        // A stream that is left out would look like one that is gone.
        if located.files.is_empty() {
            return Err(nothing(&located.pattern));
        }
        let columns = sample::columns(&located)?;
        streams.push((located, columns));
    }
    Ok(streams)
}

fn stream(located: Located, columns: Vec<Sampled>) -> Stream {
    let mut properties: Map<String, Value> = Map::new();
    for column in columns {
        let kind = column.kind.unwrap_or(Kind::Text);
        properties.insert(column.name, kind.schema());
    }
    properties.insert(MODIFIED.to_owned(), json!({ "type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone" }));
    properties.insert(URL.to_owned(), json!({ "type": "string" }));
    let schema = json!({ "type": "object", "properties": properties });
    Stream {
        name: located.name,
        json_schema: to_raw_value(&schema).expect("a JSON value serializes"),
        supported_sync_modes: vec![SyncMode::FullRefresh, SyncMode::Incremental],
        source_defined_cursor: Some(true),
        default_cursor_field: vec![MODIFIED.to_owned()],
        source_defined_primary_key: Vec::new(),
        namespace: None,
        is_resumable: Some(true),
        is_file_based: None,
    }
}
