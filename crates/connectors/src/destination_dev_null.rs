//! `destination-dev-null`: takes records, keeps none and echoes states. For measuring sources, and
//! for trying a connection without a place to write to.

use airbyte_protocol::{ConnectorSpecification, DestinationSyncMode, StreamDescriptor};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::destination::{Command, Gather, QUEUE, read};
use crate::failure::Failure;
use crate::output::Output;

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "End to End Testing Destination",
        "type": "object",
        "required": ["test_destination"],
        "properties": {
            "test_destination": {
                "title": "Test destination",
                "type": "object",
                "required": ["test_destination_type"],
                "properties": {
                    "test_destination_type": {
                        "title": "What is done with the records",
                        "description": "SILENT: nothing.",
                        "type": "string",
                        "const": "SILENT",
                        "default": "SILENT",
                    },
                },
            },
        },
    });
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

#[derive(Deserialize)]
struct Config {
    test_destination: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "test_destination_type", rename_all = "UPPERCASE")]
enum Kind {
    Silent,
}

/// Makes sure that the configuration asks for nothing else.
pub(crate) fn check(config: &SecretString) -> Result<(), Failure> {
    let config: Config = serde_json::from_str(config.expose_secret()).map_err(|e| {
        Failure::config("test_destination.test_destination_type has to be SILENT").because(e)
    })?;
    match config.test_destination {
        Kind::Silent => Ok(()),
    }
}

#[derive(Deserialize)]
struct Catalog {
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    stream: StreamDescriptor,
}

/// Records of a stream, none of them kept.
struct Nothing;

impl Gather for Nothing {
    type Batch = ();

    fn add(
        &mut self,
        _data: &RawValue,
        _emitted_at: i64,
        _changes: Option<&RawValue>,
    ) -> Result<Option<()>, Failure> {
        Ok(None)
    }

    fn take(&mut self) -> Option<()> {
        None
    }
}

/// Reads stdin to its end and echoes states.
pub(crate) async fn write(
    config: &SecretString,
    catalog: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    check(config)?;
    let catalog: Catalog = serde_json::from_str(catalog)
        .map_err(|e| Failure::system("the catalog cannot be read").because(e))?;
    let streams = catalog.streams.into_iter();
    let streams = streams.map(|entry| (entry.stream, Nothing)).collect();
    let (sender, mut commands) = tokio::sync::mpsc::channel(QUEUE);
    let reader = std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(std::io::stdin().lock(), streams, sender))?;
    while let Some(command) = commands.recv().await {
        if let Command::State(_, state) = command {
            output.lines(state.echo.as_bytes())?;
            output.flush()?;
        }
    }
    reader
        .join()
        .map_err(|_| Failure::system("reading the input failed"))?
}
