//! What an attempt gives to source and destination, and how their streams correspond.

use std::collections::HashSet;

use airbyte_protocol::{
    ConfiguredCatalog, ConfiguredStream, DestinationSyncMode, Stream, StreamDescriptor, SyncMode,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::generations;
use super::resume::Marking;
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::jobs::{Work, stream_key};
use crate::mappers::{self, Mapper, Shape};
use crate::notation::{StreamAndConfig, columns};
use crate::state_epochs::Epochs;
use crate::store::entities::{connection, connection_state, job};

/// One stream on its way.
pub(super) struct PlannedStream {
    pub(super) source: StreamDescriptor,
    pub(super) destination: StreamDescriptor,
    /// Columns that pass; all do when the schema lists none.
    pub(super) columns: Option<HashSet<String>>,
    /// Paths of which at least one must hold a value.
    pub(super) key: Vec<Vec<String>>,
    /// What is done to its records on the way.
    pub(super) mappers: Vec<Mapper>,
    /// Whether the platform makes up a state when the source sends none.
    pub(super) makes_state: bool,
    /// Whether its next read is to begin where this one ends.
    pub(super) incremental: bool,
    /// Whether a row that is read twice is there twice.
    pub(super) appends: bool,
    pub(super) generation: i64,
    /// The epoch of its state.
    pub(super) epoch: String,
}

/// Everything that is settled before the connectors start.
pub(super) struct Plan {
    pub(super) streams: Vec<PlannedStream>,
    pub(super) source_catalog: String,
    pub(super) destination_catalog: String,
    /// What states are marked with for a destination that keeps them with its rows.
    pub(super) marking: Option<Marking>,
    /// Whether the destination is informed which streams are complete.
    pub(super) sends_complete: bool,
    /// Whether no source runs: the streams are emptied.
    pub(super) clears: bool,
}

impl Plan {
    /// The plan for an attempt whose generations have started. `keeps_states`: whether the
    /// destination stores states with its rows.
    pub(super) async fn new(
        engine: &Engine,
        job: &job::Model,
        number: i32,
        connection: &connection::Model,
        (supports_refreshes, keeps_states): (bool, bool),
    ) -> Result<Self, Fault> {
        let work = job.work()?;
        let naming = connection.naming();
        let generations = generations::current(engine.store.read(), connection.id).await?;
        let epochs = Epochs::of(engine.store.read(), connection.id).await?;
        let mut entries = connection.catalog()?.streams;
        if let Work::Clear(cleared) = &work {
            entries.retain(|entry| cleared.contains(&entry.stream.descriptor()));
            for entry in &mut entries {
                entry.config.sync_mode = SyncMode::FullRefresh;
                entry.config.destination_sync_mode = DestinationSyncMode::Overwrite;
            }
        }
        let mut streams = Vec::with_capacity(entries.len());
        let mut for_source = ConfiguredCatalog::default();
        let mut for_destination = ConfiguredCatalog::default();
        for entry in entries {
            let source = entry.stream.descriptor();
            let destination = naming.apply(&source);
            let key = stream_key(&source);
            let generation = generations.get(&key).copied();
            let generation = generation.unwrap_or_default();
            let minimum = generations::minimum(&work, &source, &entry.config, generation);
            let base = configured(&entry, job.id, generation, minimum);
            let mappers = mappers::stored(&source.name, &entry.config.mappers)?;
            let shape = match mappers.is_empty() {
                true => None,
                false => Some(Shape::of(&entry.stream.json_schema, &mappers)?),
            };
            let mut planned = planned(&entry, source, destination.clone(), mappers);
            planned.generation = generation;
            planned.epoch = epochs.stream(&key);
            streams.push(planned);
            for_source.streams.push(ConfiguredStream {
                destination_sync_mode: mode_for_source(base.destination_sync_mode),
                ..base.clone()
            });
            let renamed = Stream {
                name: destination.name,
                namespace: destination.namespace,
                ..base.stream.clone()
            };
            let mut base = ConfiguredStream {
                stream: renamed,
                ..base
            };
            if let Some(shape) = shape {
                shape.write_to(&mut base)?;
            }
            base.destination_sync_mode =
                mode_for_destination(base.destination_sync_mode, supports_refreshes);
            if !supports_refreshes {
                base.generation_id = None;
                base.minimum_generation_id = None;
                base.sync_id = None;
            }
            for_destination.streams.push(base);
        }
        let marking = Marking::of(job.id, number, &epochs);
        Ok(Self {
            streams,
            source_catalog: to_json(&for_source),
            destination_catalog: to_json(&for_destination),
            marking: keeps_states.then_some(marking),
            sends_complete: supports_refreshes,
            clears: matches!(work, Work::Clear(_)),
        })
    }
}

fn configured(
    entry: &StreamAndConfig,
    job: i64,
    generation: i64,
    minimum: i64,
) -> ConfiguredStream {
    ConfiguredStream {
        stream: entry.stream.clone().into(),
        sync_mode: entry.config.sync_mode,
        destination_sync_mode: entry.config.destination_sync_mode,
        cursor_field: entry.config.cursor_field.clone(),
        primary_key: entry.config.primary_key.clone(),
        generation_id: Some(generation),
        minimum_generation_id: Some(minimum),
        sync_id: Some(job),
    }
}

fn planned(
    entry: &StreamAndConfig,
    source: StreamDescriptor,
    destination: StreamDescriptor,
    mappers: Vec<Mapper>,
) -> PlannedStream {
    let config = &entry.config;
    let incremental = config.sync_mode == SyncMode::Incremental;
    PlannedStream {
        source,
        destination,
        columns: columns(&entry.stream.json_schema).map(HashSet::from_iter),
        key: if incremental && config.is_deduped() {
            config.primary_key.clone()
        } else {
            Vec::new()
        },
        mappers,
        makes_state: !incremental && entry.stream.is_resumable != Some(true),
        incremental,
        appends: incremental && !config.is_deduped(),
        generation: 0,
        epoch: String::new(),
    }
}

/// `overwrite_dedup` is not a mode of the protocol, and updates do not concern a source.
fn mode_for_source(mode: DestinationSyncMode) -> DestinationSyncMode {
    use DestinationSyncMode::{Append, Overwrite, OverwriteDedup, SoftDelete, Update};
    match mode {
        OverwriteDedup => Overwrite,
        Update | SoftDelete => Append,
        other => other,
    }
}

/// A destination that supports generations learns from them what to remove.
fn mode_for_destination(mode: DestinationSyncMode, generations: bool) -> DestinationSyncMode {
    use DestinationSyncMode::{Append, AppendDedup, Overwrite, OverwriteDedup};
    match (mode, generations) {
        (Overwrite, true) => Append,
        (OverwriteDedup, true) => AppendDedup,
        (OverwriteDedup, false) => Overwrite,
        (other, _) => other,
    }
}

/// The content of `--state`, if anything was saved.
pub(super) async fn saved_state(
    engine: &Engine,
    connection: Uuid,
    streams: &[PlannedStream],
) -> Result<Option<String>, Fault> {
    let rows = connection_state::Entity::find()
        .filter(connection_state::Column::ConnectionId.eq(connection))
        .all(engine.store.read())
        .await?;
    let mut messages = Vec::new();
    for row in rows {
        let content: Box<RawValue> = stored("state", &row.state)?;
        match row.kind.as_str() {
            "legacy" => return Ok(Some(row.state)),
            "global" => messages.push(to_json(&Global {
                kind: "GLOBAL",
                global: content,
            })),
            _ => {
                let stream: StreamDescriptor = stored("stream", &row.stream)?;
                if streams.iter().any(|planned| planned.source == stream) {
                    messages.push(to_json(&Streamed {
                        kind: "STREAM",
                        stream: StreamContent {
                            stream_descriptor: stream,
                            stream_state: content,
                        },
                    }));
                }
            }
        }
    }
    Ok((!messages.is_empty()).then(|| format!("[{}]", messages.join(","))))
}

#[derive(serde::Serialize)]
struct Global {
    #[serde(rename = "type")]
    kind: &'static str,
    global: Box<RawValue>,
}

#[derive(serde::Serialize)]
struct Streamed {
    #[serde(rename = "type")]
    kind: &'static str,
    stream: StreamContent,
}

#[derive(serde::Serialize)]
struct StreamContent {
    stream_descriptor: StreamDescriptor,
    stream_state: Box<RawValue>,
}

/// The message that informs a destination that a stream was read to its end.
pub(super) fn complete_line(stream: &StreamDescriptor, emitted_at: i64) -> Value {
    json!({"type": "TRACE", "trace": {
        "type": "STREAM_STATUS", "emitted_at": emitted_at,
        "stream_status": {"stream_descriptor": stream, "status": "COMPLETE"},
    }})
}
