//! Parses catalogs in any notation. Detects the notation of each entry; collects every fault.

mod entry;
mod public;
mod root;

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor, SyncMode};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::fault::{Fault, Faults};
use crate::intern::Interner;
use crate::model::{Extra, Mappers, Schema, StreamConfig, StreamDef, SyncCatalog, SyncStream};
use crate::modes;
use crate::notation::Notation;
use entry::Reader;
use root::Root;

/// How to interpret an entry without `stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flat {
    /// As a stream in the protocol's notation, possibly incomplete.
    Protocol,
    /// As the settings of the public API.
    Public,
    /// As the former if it has a schema, otherwise as the latter.
    BySchema,
}

/// A catalog as it was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) entries: Vec<Entry>,
    /// Unknown members next to `streams`.
    pub(crate) extra: Extra,
}

/// An entry of `streams` as it was written: omitted members are absent.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) notation: Notation,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) json_schema: Option<Schema>,
    pub(crate) supported_sync_modes: Option<Vec<SyncMode>>,
    pub(crate) source_defined_cursor: Option<bool>,
    pub(crate) default_cursor_field: Option<Vec<String>>,
    pub(crate) source_defined_primary_key: Option<Vec<Vec<String>>>,
    pub(crate) is_resumable: Option<bool>,
    pub(crate) is_file_based: Option<bool>,
    pub(crate) extra: Extra,
    pub(crate) settings: Settings,
}

/// The settings of an entry as they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) sync_mode: Option<SyncMode>,
    pub(crate) destination_sync_mode: Option<DestinationSyncMode>,
    pub(crate) cursor_field: Option<Vec<String>>,
    pub(crate) primary_key: Option<Vec<Vec<String>>>,
    pub(crate) selected: Option<bool>,
    pub(crate) field_selection_enabled: Option<bool>,
    pub(crate) selected_fields: Option<Vec<Vec<String>>>,
    pub(crate) hashed_fields: Option<Vec<Vec<String>>>,
    pub(crate) mappers: Option<Vec<Value>>,
    /// The members that need no interpretation.
    pub(crate) rest: StreamConfig,
}

impl Entry {
    pub(crate) fn descriptor(&self) -> StreamDescriptor {
        StreamDescriptor {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

impl SyncCatalog {
    /// Parses a catalog in any notation.
    ///
    /// # Errors
    /// Returns all faults: input that is not a JSON object, `streams` missing or not a list, a
    /// stream without a name or schema, a duplicate stream, an unknown mode, a path that is not a
    /// list of strings, a NUL character anywhere, a schema or an unknown member that is nested
    /// deeper than 100 levels or contains invalid Unicode or a non-finite number.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        Self::parse_with(text, &mut Interner::default())
    }

    /// As [`SyncCatalog::parse`], sharing each schema with catalogs parsed with the same interner.
    ///
    /// # Errors
    /// As [`SyncCatalog::parse`].
    pub fn parse_with(text: &str, interner: &mut Interner) -> Result<Self, Faults> {
        catalog(written(text, Flat::Protocol, interner)?)
    }
}

/// The written catalog, each stream once and with a schema.
pub(crate) fn catalog(written: Written) -> Result<SyncCatalog, Faults> {
    let mut faults = Vec::new();
    let mut seen = std::collections::HashSet::with_capacity(written.entries.len());
    let mut streams = Vec::with_capacity(written.entries.len());
    for entry in written.entries {
        let descriptor = entry.descriptor();
        if !seen.insert(descriptor.clone()) {
            let message = format!("stream {descriptor} is listed twice");
            faults.push(Fault::of(&entry.path, descriptor.clone(), message));
        }
        match strict(entry) {
            Ok(stream) => streams.push(stream),
            Err(fault) => faults.push(fault),
        }
    }
    let extra = written.extra;
    Faults::unless_any(faults, SyncCatalog { streams, extra })
}

fn strict(entry: Entry) -> Result<SyncStream, Fault> {
    let descriptor = entry.descriptor();
    let schema = match entry.notation {
        Notation::Public => Some(crate::schema::empty()),
        _ => entry.json_schema,
    };
    let Some(json_schema) = schema else {
        let message = format!("stream {descriptor} has no json_schema");
        return Err(Fault::of(
            format!("{}.json_schema", entry.path),
            descriptor,
            message,
        ));
    };
    let stream = StreamDef {
        name: entry.name,
        namespace: entry.namespace,
        json_schema,
        supported_sync_modes: entry.supported_sync_modes.unwrap_or_default(),
        source_defined_cursor: entry.source_defined_cursor,
        default_cursor_field: entry.default_cursor_field.unwrap_or_default(),
        source_defined_primary_key: entry.source_defined_primary_key.unwrap_or_default(),
        is_resumable: entry.is_resumable,
        is_file_based: entry.is_file_based,
        extra: entry.extra,
    };
    let settings = entry.settings;
    let mut config = settings.rest;
    let (sync_mode, destination_sync_mode) = match entry.notation {
        // The protocol's own defaults.
        Notation::Configured => (SyncMode::FullRefresh, DestinationSyncMode::Append),
        Notation::Public => (SyncMode::FullRefresh, DestinationSyncMode::Overwrite),
        Notation::ConfigApi | Notation::Protocol => modes::suggested(&stream),
    };
    config.sync_mode = settings.sync_mode.unwrap_or(sync_mode);
    config.destination_sync_mode = settings
        .destination_sync_mode
        .unwrap_or(destination_sync_mode);
    if entry.notation == Notation::Protocol {
        config.cursor_field.clone_from(&stream.default_cursor_field);
        config
            .primary_key
            .clone_from(&stream.source_defined_primary_key);
    } else {
        config.cursor_field = settings.cursor_field.unwrap_or_default();
        config.primary_key = settings.primary_key.unwrap_or_default();
    }
    config.selected = settings
        .selected
        .unwrap_or(entry.notation == Notation::Configured);
    config.selected_fields = match (settings.field_selection_enabled, settings.selected_fields) {
        (Some(true), fields) => Some(fields.unwrap_or_default()),
        (None, Some(fields)) if !fields.is_empty() => Some(fields),
        _ => None,
    };
    config.hashed_fields = settings.hashed_fields.filter(|fields| !fields.is_empty());
    config.mappers = Mappers(settings.mappers.unwrap_or_default());
    Ok(SyncStream { stream, config })
}

/// The entries of `streams`. Reports structural faults only; the caller checks for duplicates.
pub(crate) fn written(text: &str, flat: Flat, interner: &mut Interner) -> Result<Written, Faults> {
    let one = |path: &str, message: String| Faults(vec![Fault::new(path, message)]);
    let root = serde_json::from_str::<Root<'_>>(text).map_err(|e| match e.classify() {
        Category::Data => one("$", "the catalog is not an object".to_owned()),
        _ => one("$", format!("the catalog is not JSON: {e}")),
    })?;
    let streams = match root.streams {
        Some(streams) => streams,
        None if root.other_streams => {
            return Err(one("$.streams", "streams is not a list".to_owned()));
        }
        None => return Err(one("$.streams", "streams is missing".to_owned())),
    };
    let mut faults = if holds_nul(text) {
        nul_faults(text)
    } else {
        Vec::new()
    };
    let mut reader = Reader {
        faults: &mut faults,
        interner,
        flat,
        path: "$".to_owned(),
    };
    let extra = reader.extra(root.others, "");
    let mut entries = Vec::with_capacity(streams.len());
    for (index, listed) in streams.into_iter().enumerate() {
        reader.path = format!("$.streams[{index}]");
        entries.extend(reader.entry(listed));
    }
    Faults::unless_any(faults, Written { entries, extra })
}

/// The locations of NUL characters in the text.
fn nul_faults(text: &str) -> Vec<Fault> {
    #[derive(serde::Deserialize)]
    struct Streams<'a> {
        #[serde(borrow)]
        streams: Vec<&'a RawValue>,
    }
    let message = "contains a NUL character, which no database can store";
    let streams =
        serde_json::from_str::<Streams<'_>>(text).map_or_else(|_| Vec::new(), |root| root.streams);
    let held = streams.iter().enumerate();
    let held = held.filter(|(_, entry)| holds_nul(entry.get()));
    let mut faults: Vec<Fault> = held
        .map(|(index, _)| Fault::new(format!("$.streams[{index}]"), message))
        .collect();
    if faults.is_empty() {
        faults.push(Fault::new("$", message));
    }
    faults
}

/// Whether the JSON text contains an escaped NUL; an unescaped one is not JSON.
fn holds_nul(text: &str) -> bool {
    text.match_indices("\\u0000").any(|(at, _)| {
        let before = &text.as_bytes()[..at];
        before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count()
            % 2
            == 0
    })
}
