//! Reading a few records of a source, to look at.

use std::ffi::OsString;

use airbyte_protocol::{
    Catalog, ConfiguredCatalog, ConfiguredStream, Line, StreamDescriptor, TraceMessage,
};
use serde_json::Value;
use tokio::io::AsyncRead;

use super::{Connectors, Failed};
use crate::connector::command::{Verb, log_text};
use crate::connector::process::describe;
use crate::connector::{Environment, LineReader};
use crate::definitions::Definition;
use crate::secrets::Redactor;

/// Some records of one stream.
#[derive(Debug)]
pub struct Records {
    /// The stream.
    pub stream: StreamDescriptor,
    /// The data of its first records, in the source's order.
    pub data: Vec<Value>,
}

impl Connectors {
    /// Reads up to `limit` records of each of these streams, or of all when none is named, by a
    /// full refresh; the connector is stopped when it has sent that many of each.
    ///
    /// # Errors
    /// When there is no such source or stream, or it fails.
    pub async fn read(
        &self,
        name: &str,
        configuration: &Value,
        streams: &[String],
        limit: usize,
    ) -> Result<Vec<Records>, Failed> {
        let definition = self.source(name, "read")?;
        let redactor = self.redactor(&definition, configuration).await?;
        let catalog = self
            .ask(&definition, Verb::Discover, Some(configuration), &redactor)
            .await?;
        let catalog = chosen(&definition, catalog, streams)?;
        let failed = |source| Failed::Run {
            connector: definition.connector().to_owned(),
            source,
        };
        let prepared = self.prepare(&definition).await?;
        let directory = self.runner.directory().map_err(failed)?;
        let text = serde_json::to_string(&catalog).map_err(|source| Failed::Answer {
            connector: definition.connector().to_owned(),
            source,
        })?;
        let config = directory.file("config.json", configuration.to_string().as_bytes());
        let catalog_file = directory.file("catalog.json", text.as_bytes());
        let args: [OsString; 5] = [
            "read".into(),
            "--config".into(),
            config.map_err(failed)?.into(),
            "--catalog".into(),
            catalog_file.map_err(failed)?.into(),
        ];
        let environment = Environment {
            image: definition.image(),
            job: "read".to_owned(),
            attempt: 0,
        };
        let started = self
            .runner
            .start(&prepared, &directory, &environment, &args);
        let mut connector = started.map_err(failed)?;
        drop(connector.stdin.take());
        let stdout = connector.stdout.take().expect("taken once");
        let stderr = connector.stderr.take().expect("taken once");
        let mut sample = Sample::new(&catalog, limit);
        let mut complaint = None;
        let ended = tokio::select! {
            ended = sample.fill(stdout, &redactor) => ended.map_err(failed)?,
            () = listen(stderr, &mut complaint) => Ended::Early,
        };
        if ended == Ended::Full {
            connector.group().kill();
        }
        let status = connector.wait().await.map_err(failed)?;
        if ended != Ended::Full && (sample.error.is_some() || !status.success()) {
            let message = sample.error.unwrap_or_else(|| {
                let last = complaint.or(sample.log).unwrap_or_default();
                redactor.clean(&format!("its read {}: {last}", describe(status)))
            });
            return Err(Failed::Connector {
                connector: definition.connector().to_owned(),
                message,
            });
        }
        Ok(sample.streams)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// There are enough records of every stream.
    Full,
    /// The source has message all it had to.
    Early,
}

struct Sample {
    limit: usize,
    streams: Vec<Records>,
    error: Option<String>,
    log: Option<String>,
}

impl Sample {
    fn new(catalog: &ConfiguredCatalog, limit: usize) -> Self {
        let streams = catalog.streams.iter().map(|configured| Records {
            stream: configured.stream.descriptor(),
            data: Vec::new(),
        });
        Self {
            limit,
            streams: streams.collect(),
            error: None,
            log: None,
        }
    }

    async fn fill(
        &mut self,
        stdout: impl AsyncRead + Unpin,
        redactor: &Redactor,
    ) -> std::io::Result<Ended> {
        let mut lines = LineReader::new(stdout);
        let mut missing = self.streams.len();
        while missing > 0 {
            let Some(line) = lines.next().await? else {
                return Ok(Ended::Early);
            };
            let Some(line) = Line::parse(line) else {
                continue;
            };
            if let Some(record) = &line.record {
                let limit = self.limit;
                let name = record.stream.as_ref().map(|text| text.0.as_ref());
                let namespace = record.namespace.as_ref().map(|text| text.0.as_ref());
                let stream = self.streams.iter_mut().find(|records| {
                    Some(records.stream.name.as_str()) == name
                        && records.stream.namespace.as_deref() == namespace
                });
                if let Some(records) = stream
                    && records.data.len() < limit
                    && let Some(data) = record.data
                    && let Ok(data) = serde_json::from_str(data.get())
                {
                    records.data.push(data);
                    missing -= usize::from(records.data.len() == limit);
                }
            } else if let Some(text) = line.log.and_then(log_text) {
                self.log = Some(text);
            } else if let Some(trace) = line.trace {
                let trace: Option<TraceMessage> = serde_json::from_str(trace.get()).ok();
                if let Some(error) = trace.and_then(|trace| trace.error) {
                    self.error
                        .get_or_insert_with(|| redactor.clean(&error.message));
                }
            }
        }
        Ok(Ended::Full)
    }
}

/// Keeps the last line; ends never, since the records are what is waited for.
async fn listen(stderr: impl AsyncRead + Unpin, last: &mut Option<String>) {
    let mut lines = LineReader::of_text(stderr);
    while let Ok(Some(line)) = lines.next().await {
        *last = Some(String::from_utf8_lossy(line).into_owned());
    }
    std::future::pending().await
}

fn chosen(
    definition: &Definition,
    catalog: Catalog,
    streams: &[String],
) -> Result<ConfiguredCatalog, Failed> {
    for wanted in streams {
        if !catalog.streams.iter().any(|stream| stream.name == *wanted) {
            let known: Vec<_> = catalog.streams.iter().map(|s| s.name.as_str()).collect();
            return Err(Failed::NoStream {
                connector: definition.connector().to_owned(),
                stream: wanted.clone(),
                known: known.join(", "),
            });
        }
    }
    let all = catalog.streams.into_iter();
    let wanted = all.filter(|stream| streams.is_empty() || streams.contains(&stream.name));
    let whole = wanted.map(|stream| ConfiguredStream {
        stream,
        sync_mode: airbyte_protocol::SyncMode::FullRefresh,
        destination_sync_mode: airbyte_protocol::DestinationSyncMode::Overwrite,
        cursor_field: Vec::new(),
        primary_key: Vec::new(),
        generation_id: Some(0),
        minimum_generation_id: Some(0),
        sync_id: Some(0),
    });
    Ok(ConfiguredCatalog {
        streams: whole.collect(),
    })
}
