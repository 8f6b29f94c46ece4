//! `destination-parquet`: streams as folders of Parquet files.

mod files;
mod folder;
mod ledger;
mod names;

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use airbyte_protocol::{ConfiguredCatalog, ConnectorSpecification, DestinationSyncMode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::to_raw_value;

use crate::destination::{Plan, State, key, resume};
use crate::failure::Failure;
use crate::output::Output;
use crate::parquet::{self as columnar, Compression, Held};
use crate::paths;
use crate::spool::{self, Format, Gatherer, Limits, Store, Way, Written, safe_name, unwritable};
use folder::{Folder, Hidden};
use ledger::Ledger;

/// What batches of all streams take in memory before they are written.
const MEMORY_BYTES: usize = 24 << 20;

#[derive(Deserialize)]
struct Config {
    path: String,
    #[serde(default = "Config::file_mb")]
    max_file_size_mb: u64,
    #[serde(default = "Config::seconds")]
    commit_interval_seconds: u64,
}

impl Config {
    fn file_mb() -> u64 {
        128
    }

    fn seconds() -> u64 {
        30
    }

    fn parse(config: &SecretString) -> Result<Self, Failure> {
        serde_json::from_str(config.expose_secret()).map_err(|e| {
            Failure::config(format!(
                "the configuration needs \"path\", the path of a folder: {e}"
            ))
        })
    }

    /// The folder's real path, if it may be touched.
    fn base(&self) -> Result<PathBuf, Failure> {
        let limits = paths::Limits::from_environment();
        let base = limits.resolve(&self.path).map_err(Failure::config)?;
        if base.exists() && !base.is_dir() {
            return Err(Failure::config(format!("{} is not a folder", self.path)));
        }
        Ok(base)
    }
}

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    let schema = serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Parquet destination",
        "type": "object",
        "required": ["path"],
        "additionalProperties": true,
        "properties": {
            "path": {
                "title": "Path", "type": "string", "minLength": 1, "order": 0,
                "description": "The folder that holds a folder per stream. It is made if it does not exist; its own folder has to.",
                "examples": ["/data/lake"],
            },
            "max_file_size_mb": {
                "title": "Size of a file", "type": "integer", "minimum": 1, "default": 128, "order": 1,
                "description": "At about that many megabytes a file ends and the next begins.",
            },
            "commit_interval_seconds": {
                "title": "Commit interval", "type": "integer", "minimum": 0, "default": 30, "order": 2,
                "description": "How long rows wait at most before they are shown and acknowledged. Fewer seconds make more and smaller files.",
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
        ],
        advanced_auth: None,
        protocol_version: Some("0.2.0".to_owned()),
    }
}

/// Makes sure that files can be written in the folder; nothing is left behind.
pub(crate) fn check(config: &SecretString) -> Result<(), Failure> {
    let base = Config::parse(config)?.base()?;
    let existed = base.exists();
    if !existed {
        std::fs::create_dir(&base).map_err(|e| unwritable(&base, &e))?;
    }
    let probe = base.join(format!(".aam-{}.probe", uuid::Uuid::new_v4().simple()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    if !existed {
        // It fails if another process has written into it in the meantime, as it should.
        let _ = std::fs::remove_dir(&base);
    }
    written.map_err(|e| unwritable(&base, &e))
}

/// Writes stdin's records into files and echoes states.
pub(crate) async fn write(
    config: &SecretString,
    catalog: &str,
    written_for: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let config = Config::parse(config)?;
    let base = config.base()?;
    let catalog: ConfiguredCatalog = serde_json::from_str(catalog)
        .map_err(|e| Failure::config("the configured catalog cannot be understood").because(e))?;
    let held = Held::default();
    let mut taken = HashMap::new();
    let (mut plans, mut formats, mut gatherers) = (Vec::new(), Vec::new(), Vec::new());
    for configured in &catalog.streams {
        let stream = configured.stream.descriptor();
        let within = |failure: Failure| failure.in_stream(&stream);
        let plan = Plan::of(configured, written_for.is_some()).map_err(within)?;
        if plan.deduplicates {
            let message = format!("stream {stream} is to be deduplicated, which files are not");
            return Err(within(Failure::config(message)));
        }
        if let Some(other) = taken.insert(place(&stream), stream.clone()) {
            let message = format!("streams {other} and {stream} would share a folder");
            return Err(within(Failure::config(message)));
        }
        let columns = columnar::columns(&configured.stream.json_schema).map_err(within)?;
        let (generation, sync_id) = (plan.generation, plan.sync_id);
        let schema = columnar::schema(&columns, generation.is_some()).map_err(|e| {
            within(Failure::config("the stream's columns make no Parquet schema").because(e))
        })?;
        formats.push(Way {
            format: Format::Parquet(schema, Compression::Zstd),
            counts: generation.is_some(),
            covered: plan.covered,
        });
        let gatherer =
            columnar::Gatherer::new(stream.clone(), columns, generation, sync_id, held.clone());
        gatherers.push((stream.clone(), Gatherer::Table(gatherer)));
        plans.push((stream.clone(), plan));
    }
    for stream in taken.values() {
        let name = safe_name(&stream.name).to_lowercase();
        let is_bare = stream.namespace.as_deref().unwrap_or_default().is_empty();
        if is_bare && taken.keys().any(|(namespace, _)| *namespace == name) {
            let message = format!("stream {stream} and a namespace would share a folder");
            return Err(Failure::config(message).in_stream(stream));
        }
    }
    // What an earlier attempt committed is put in sight before its traces are tidied away.
    let ledger = match written_for {
        Some(id) => Some(Ledger::open(&base, id)?),
        None => None,
    };
    let mut folders = Vec::with_capacity(plans.len());
    for (stream, plan) in plans {
        let folder = Folder::prepare(&base, stream.clone(), plan);
        folders.push(folder.map_err(|failure| failure.in_stream(&stream))?);
    }
    let limits = Limits {
        memory: MEMORY_BYTES,
        file_bytes: config.max_file_size_mb.max(1) << 20,
        interval: Duration::from_secs(config.commit_interval_seconds),
    };
    if let Some(ledger) = &ledger {
        resume(ledger.committed(), output)?;
    }
    let folders = Folders { folders, ledger };
    spool::write(folders, formats, gatherers, limits, output).await
}

/// What two streams must not have in common, also where names ignore case.
fn place(stream: &airbyte_protocol::StreamDescriptor) -> (String, String) {
    let namespace = stream.namespace.as_deref().unwrap_or_default();
    (
        safe_name(namespace).to_lowercase(),
        safe_name(&stream.name).to_lowercase(),
    )
}

struct Folders {
    folders: Vec<Folder>,
    ledger: Option<Ledger>,
}

impl Store for Folders {
    type File = Hidden;

    fn create(&mut self, stream: usize) -> Result<(File, Hidden), Failure> {
        self.folders[stream].create()
    }

    async fn publish(
        &mut self,
        files: Vec<(usize, Written<Hidden>)>,
        states: &[State],
    ) -> Result<(), Failure> {
        let mut moves = Vec::with_capacity(files.len());
        for (stream, written) in &files {
            written.file.sync(&written.handle)?;
            moves.push(self.folders[*stream].shown_as(&written.file));
        }
        match &mut self.ledger {
            Some(ledger) => ledger.commit(states, moves),
            None => files::carry_out(&moves),
        }
    }

    async fn conclude(
        &mut self,
        stream: usize,
        whole: bool,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let folder = &self.folders[stream];
        let Some(ledger) = self.ledger.as_mut().filter(|_| whole && folder.plan().adds) else {
            return folder.conclude(whole, output);
        };
        let (of, sync_id) = (key(folder.stream()), folder.plan().sync_id);
        if !ledger.committed().has_added(&of, sync_id) {
            ledger.add(&of, sync_id, folder.staged_files()?)?;
        }
        folder.conclude(whole, output)
    }
}
