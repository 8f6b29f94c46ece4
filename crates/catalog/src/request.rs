//! A catalog that a caller sends to be applied, often incomplete: what is absent or empty is taken
//! from the latest discovery, so that nothing is lost.

use std::sync::Arc;

use airbyte_protocol::DestinationSyncMode;

use crate::fault::{Fault, Faults};
use crate::intern::Interner;
use crate::model::{Extra, Mappers, StreamConfig, StreamDef, SyncCatalog};
use crate::notation::read::{self, Entry, Flat};
use crate::validate::{validate, validate_unused};
use crate::{schema, select};

/// A catalog as it was written, with omissions visible.
#[derive(Debug, Clone)]
pub struct CatalogRequest {
    entries: Vec<Entry>,
}

impl CatalogRequest {
    /// Parses a catalog in any notation whose streams may lack everything but a name.
    ///
    /// # Errors
    /// Returns structural faults as [`SyncCatalog::parse`] does, except those of schemas and
    /// duplicates.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let written = read::written(text, Flat::Protocol, &mut Interner::default())?;
        Ok(Self {
            entries: written.entries,
        })
    }

    /// The names of the written streams, in document order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }
}

/// Completes the request from what was discovered.
///
/// Absent or empty schemas, modes, cursors and keys are taken from the discovered stream; modes
/// that are absent there too stay as in `current`, or get AAM's default. Settings that the request
/// omits (mappers, hashed columns, target object) stay as in `current`. A non-empty schema selects
/// its top-level columns, with the source's types; one that names every column, and an explicit
/// `fieldSelectionEnabled: false`, selects all. Discovered streams that are not listed are kept
/// unselected. `destination` lists the destination's modes, if they are known.
///
/// # Errors
/// Returns every fault, each naming its stream: a stream that the source lacks or that is listed
/// twice, a missing cursor or key, a column that the source lacks, a selection without key or
/// cursor, modes that source or destination do not support.
pub fn complete(
    request: &CatalogRequest,
    discovered: &SyncCatalog,
    current: Option<&SyncCatalog>,
    destination: Option<&[DestinationSyncMode]>,
) -> Result<SyncCatalog, Faults> {
    let destination = destination.unwrap_or_default();
    let mut catalog = discovered.clone();
    for entry in &mut catalog.streams {
        if let Some(known) = current.and_then(|c| c.stream(&entry.stream.descriptor())) {
            entry.config = known.config.clone();
        }
        entry.config.selected = false;
    }
    let mut faults = Vec::new();
    let mut listed = std::collections::HashSet::new();
    for entry in &request.entries {
        let position = match select::find(discovered, &entry.name, entry.namespace.as_deref()) {
            Ok(position) => position,
            Err(message) => {
                faults.push(Fault::of(&entry.path, entry.descriptor(), message));
                continue;
            }
        };
        let target = &mut catalog.streams[position];
        let descriptor = target.descriptor();
        if !listed.insert(position) {
            let message = format!("stream {descriptor} is listed twice");
            faults.push(Fault::of(&entry.path, descriptor, message));
            continue;
        }
        let known = current
            .and_then(|c| c.stream(&descriptor))
            .filter(|s| s.config.selected);
        let missing = columns_the_source_lacks(entry, &target.stream);
        faults.extend(missing.into_iter().map(|column| {
            let message = format!("stream {descriptor} has no column {column} in the source");
            Fault::of(
                format!("{}.json_schema", entry.path),
                descriptor.clone(),
                message,
            )
        }));
        target.config = configuration(
            entry,
            &target.stream,
            std::mem::take(&mut target.config),
            known.map(|s| &s.config),
            destination,
        );
        if target.config.selected {
            let (stream, config) = (&target.stream, &target.config);
            validate(&entry.path, stream, config, destination, &mut faults);
            let settings = &entry.settings;
            let asked = (
                settings.cursor_field.as_deref(),
                settings.primary_key.as_deref(),
            );
            validate_unused(&entry.path, stream, config, asked, &mut faults);
        }
    }
    Faults::unless_any(faults, catalog)
}

fn configuration(
    entry: &Entry,
    stream: &StreamDef,
    mut config: StreamConfig,
    known: Option<&StreamConfig>,
    destination: &[DestinationSyncMode],
) -> StreamConfig {
    let settings = &entry.settings;
    let mut as_asked = stream.clone();
    if let Some(cursor) = settings
        .cursor_field
        .as_ref()
        .filter(|cursor| !cursor.is_empty())
    {
        as_asked.default_cursor_field.clone_from(cursor);
    }
    if let Some(key) = settings.primary_key.as_ref().filter(|key| !key.is_empty()) {
        as_asked.source_defined_primary_key.clone_from(key);
    }
    // A stream that is already synced keeps the modes that the request omits.
    let silent = settings.sync_mode.is_none() && settings.destination_sync_mode.is_none();
    let (read, write) = match known.filter(|_| silent) {
        Some(known) => (Some(known.sync_mode), Some(known.destination_sync_mode)),
        None => (settings.sync_mode, settings.destination_sync_mode),
    };
    select::choose(&as_asked, read, write, destination).write_to(&mut config);
    if let Some(known) = known {
        // The source proposes nothing: keep what the connection already uses.
        if config.cursor_field.is_empty() {
            config.cursor_field.clone_from(&known.cursor_field);
        }
        if config.primary_key.is_empty() {
            config.primary_key.clone_from(&known.primary_key);
        }
    }
    config.selected = settings.selected.unwrap_or(true);
    config.selected_fields = selection(entry, stream, known);
    if let Some(mappers) = &settings.mappers {
        config.mappers = Mappers(mappers.clone());
    }
    if let Some(hashed) = &settings.hashed_fields {
        config.hashed_fields = Some(hashed.clone()).filter(|fields| !fields.is_empty());
    }
    let rest = &settings.rest;
    let keep = |mine: &mut Option<String>, theirs: &Option<String>| {
        if theirs.is_some() {
            mine.clone_from(theirs);
        }
    };
    keep(&mut config.alias_name, &rest.alias_name);
    keep(&mut config.namespace, &rest.namespace);
    keep(
        &mut config.destination_object_name,
        &rest.destination_object_name,
    );
    config.suggested = rest.suggested.or(config.suggested);
    config.include_files = rest.include_files.or(config.include_files);
    config.minimum_generation_id = rest.minimum_generation_id.or(config.minimum_generation_id);
    config.generation_id = rest.generation_id.or(config.generation_id);
    config.sync_id = rest.sync_id.or(config.sync_id);
    let copied = |known: &mut Extra, given: &Extra| known.0.extend(given.0.clone());
    copied(&mut config.extra, &rest.extra);
    copied(&mut config.beside, &rest.beside);
    config
}

fn selection(
    entry: &Entry,
    stream: &StreamDef,
    known: Option<&StreamConfig>,
) -> Option<Vec<Vec<String>>> {
    let settings = &entry.settings;
    let explicit = settings.selected_fields.clone().unwrap_or_default();
    match settings.field_selection_enabled {
        Some(true) => return Some(explicit),
        Some(false) => return None,
        None if !explicit.is_empty() => return Some(explicit),
        None => {}
    }
    let columns = written_columns(entry);
    if columns.is_empty() {
        // An empty schema means the source's, with all columns, unless there was a selection
        // before.
        return known.and_then(|known| known.selected_fields.clone());
    }
    let all = stream.columns();
    let everything =
        all.len() == columns.len() && all.iter().all(|column| columns.contains(column));
    (!everything).then(|| columns.into_iter().map(|column| vec![column]).collect())
}

fn written_columns(entry: &Entry) -> Vec<String> {
    let written = entry.json_schema.as_ref().map(Arc::clone);
    written
        .filter(|raw| !schema::is_empty(raw))
        .map_or_else(Vec::new, |raw| schema::columns(&raw))
}

fn columns_the_source_lacks(entry: &Entry, stream: &StreamDef) -> Vec<String> {
    let mut columns = written_columns(entry);
    if !columns.is_empty() {
        let all: std::collections::HashSet<String> = stream.columns().into_iter().collect();
        columns.retain(|column| !all.contains(column));
    }
    columns
}
