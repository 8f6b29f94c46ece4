//! `destination-s3`: streams as objects of a store that speaks S3.

mod config;
mod keys;
mod ledger;
mod upload;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use airbyte_protocol::{
    ConfiguredCatalog, ConnectorSpecification, DestinationSyncMode, LogLevel, StreamDescriptor,
};
use chrono::{DateTime, Utc};
use object_store::path::Path;
use secrecy::SecretString;
use serde_json::value::to_raw_value;

use crate::destination::{Plan, State, key, resume};
use crate::failure::Failure;
use crate::output::Output;
use crate::parquet::{self as columnar, Held};
use crate::spool::{
    self, Format, Gatherer, Limits, LineGatherer, Store, Way, Written, safe_name, unwritable,
};
use config::{Config, Holds};
use ledger::Ledger;
use upload::Mark;

/// What batches of all streams take in memory before they are written to this machine's disk.
const MEMORY_BYTES: usize = 16 << 20;

/// The connector's specification.
pub(crate) fn spec() -> ConnectorSpecification {
    ConnectorSpecification {
        connection_specification: to_raw_value(&config::schema())
            .expect("a JSON literal serializes"),
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

/// Writes, reads, lists and deletes a test object.
pub(crate) async fn check(config: &SecretString) -> Result<(), Failure> {
    let config = Config::permitted(config).await?;
    let key = config.template.probe()?;
    let named = |mut failure: Failure| {
        failure.message = format!("bucket {}: {}", config.bucket, failure.message);
        failure
    };
    upload::probe(&config.store, &key).await.map_err(named)
}

/// Writes stdin's records into objects and echoes states.
pub(crate) async fn write(
    config: &SecretString,
    catalog: &str,
    written_for: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let config = Config::permitted(config).await?;
    let catalog: ConfiguredCatalog = serde_json::from_str(catalog)
        .map_err(|e| Failure::config("the configured catalog cannot be understood").because(e))?;
    let held = Held::default();
    let (mut targets, mut formats, mut gatherers) = (Vec::new(), Vec::new(), Vec::new());
    for configured in &catalog.streams {
        let stream = configured.stream.descriptor();
        let within = |failure: Failure| failure.in_stream(&stream);
        let plan = Plan::of(configured, written_for.is_some()).map_err(within)?;
        if plan.deduplicates {
            let message = format!("stream {stream} is to be deduplicated, which objects are not");
            return Err(within(Failure::config(message)));
        }
        let (generation, sync_id) = (plan.generation, plan.sync_id);
        let (format, gatherer) = match config.holds {
            Holds::Jsonl { gzip } => {
                let lines = LineGatherer::new(stream.clone(), generation, sync_id, held.clone());
                (Format::Jsonl { gzip }, Gatherer::Lines(lines))
            }
            Holds::Parquet(compression) => {
                let columns = columnar::columns(&configured.stream.json_schema).map_err(within)?;
                let schema = columnar::schema(&columns, generation.is_some()).map_err(|e| {
                    let message = "the stream's columns make no Parquet schema";
                    within(Failure::config(message).because(e))
                })?;
                let (of, held) = (stream.clone(), held.clone());
                let table = columnar::Gatherer::new(of, columns, generation, sync_id, held);
                (Format::Parquet(schema, compression), Gatherer::Table(table))
            }
        };
        formats.push(Way {
            format,
            counts: generation.is_some(),
            covered: plan.covered,
        });
        gatherers.push((stream.clone(), gatherer));
        targets.push(Target {
            mark: Mark {
                stream: mark(&stream),
                generation,
                sync_id,
            },
            key: key(&stream),
            stream,
            replaces: plan.replaces,
            adds: plan.adds,
            written: HashSet::new(),
            parts: 0,
        });
    }
    let limits = Limits {
        memory: MEMORY_BYTES,
        file_bytes: config.file_bytes,
        interval: config.interval,
    };
    let mut objects = Objects {
        config,
        targets,
        ledger: None,
        began: Utc::now(),
    };
    if let Some(id) = written_for {
        let (config, generations) = (&objects.config, objects.generations());
        let folder = config.template.ledger(id)?;
        let ledger = Ledger::open(&config.store, &folder, &generations).await?;
        resume(ledger.committed(), output)?;
        objects.ledger = Some(ledger);
    }
    spool::write(objects, formats, gatherers, limits, output).await
}

/// Namespace and name in the ASCII that metadata is.
fn mark(stream: &StreamDescriptor) -> String {
    let ascii = |name: &str| -> String {
        let letter = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        safe_name(name).bytes().map(letter).collect()
    };
    match stream.namespace.as_deref() {
        None | Some("") => ascii(&stream.name),
        Some(namespace) => format!("{}/{}", ascii(namespace), ascii(&stream.name)),
    }
}

/// A stream's way into the store.
struct Target {
    stream: StreamDescriptor,
    key: String,
    mark: Mark,
    /// Whether objects count only once the stream completed, beside those that are there.
    adds: bool,
    /// Whether older generations go once the stream completed.
    replaces: bool,
    /// Keys of this sync's objects.
    written: HashSet<Path>,
    parts: u64,
}

struct Objects {
    config: Config,
    targets: Vec<Target>,
    ledger: Option<Ledger>,
    began: DateTime<Utc>,
}

impl Objects {
    /// The generation of each stream that is added whole.
    fn generations(&self) -> BTreeMap<String, Option<i64>> {
        let whole = self.targets.iter().filter(|target| target.adds);
        whole
            .map(|target| (target.key.clone(), target.mark.generation))
            .collect()
    }

    /// Whether an earlier attempt of this sync added the whole stream.
    fn has_added(&self, stream: usize) -> bool {
        let target = &self.targets[stream];
        let ledger = self.ledger.as_ref().filter(|_| target.adds);
        ledger.is_some_and(|l| l.committed().has_added(&target.key, target.mark.sync_id))
    }

    /// A key that no object has, nor will have.
    async fn free_key(&mut self, stream: usize) -> Result<Path, Failure> {
        let (config, target) = (&self.config, &mut self.targets[stream]);
        let gives_up = |key: &Path| self.ledger.as_ref().is_some_and(|l| l.gives_up(key));
        loop {
            let number = (target.mark.sync_id, target.parts);
            target.parts += 1;
            let (template, names) = (&config.template, &config.names);
            let key = keys::key(template, names, &target.stream, number, self.began)?;
            if !names.repeats() {
                return Ok(key);
            }
            if !gives_up(&key) && !upload::exists(&config.store, &key).await? {
                return Ok(key);
            }
        }
    }
}

impl Store for Objects {
    type File = ();

    /// A file without a name: it is gone with this process, however that ends.
    fn create(&mut self, _stream: usize) -> Result<(File, ()), Failure> {
        let folder = std::env::temp_dir();
        let file = tempfile::tempfile_in(&folder).map_err(|e| unwritable(&folder, &e))?;
        Ok((file, ()))
    }

    async fn publish(
        &mut self,
        files: Vec<(usize, Written<()>)>,
        states: &[State],
    ) -> Result<(), Failure> {
        let mut uploads = Vec::with_capacity(files.len());
        let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (stream, written) in files {
            if self.has_added(stream) {
                continue;
            }
            let key = self.free_key(stream).await?;
            let target = &self.targets[stream];
            if target.adds {
                let of = parts.entry(target.key.clone()).or_default();
                of.push(key.as_ref().to_owned());
            }
            uploads.push((stream, key, written));
        }
        if let Some(ledger) = &mut self.ledger {
            let keys: Vec<Path> = uploads.iter().map(|(_, key, _)| key.clone()).collect();
            let store = &self.config.store;
            ledger.announce(store, &keys, parts, states).await?;
        }
        for (stream, key, mut written) in uploads {
            let (store, target) = (&self.config.store, &mut self.targets[stream]);
            upload::upload(store, &key, &mut written.handle, &target.mark)
                .await
                .map_err(|failure| failure.in_stream(&target.stream))?;
            target.written.insert(key);
        }
        let generations = self.generations();
        match &mut self.ledger {
            Some(ledger) => ledger.count(&self.config.store, &generations).await,
            None => Ok(()),
        }
    }

    async fn conclude(
        &mut self,
        stream: usize,
        whole: bool,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let target = &self.targets[stream];
        if let Some(ledger) = &mut self.ledger {
            ledger.clean(&self.config.store).await?;
            if whole && target.adds {
                let (of, sync_id) = (&target.key, target.mark.sync_id);
                ledger.add(&self.config.store, of, sync_id).await?;
            }
        }
        if !whole || !target.replaces {
            return Ok(());
        }
        let folder = self.config.template.folder(&target.stream)?;
        let deleted =
            upload::delete_older(&self.config.store, &folder, &target.mark, &target.written)
                .await
                .map_err(|failure| failure.in_stream(&target.stream))?;
        let text = format!(
            "{deleted} objects of older generations of {} were deleted",
            target.stream
        );
        output.log(LogLevel::Info, text)
    }
}
