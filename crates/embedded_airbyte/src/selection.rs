//! A connection's streams as the public API lists them: validated against the discovered catalog
//! and turned into the Config API's notation, and back.

use std::collections::HashSet;

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;
use crate::mappers;
use crate::notation::{
    ApiStream, SelectedField, StreamAndConfig, StreamConfig, SyncCatalog, columns, combined,
    has_path, nullable, split,
};

/// `StreamConfiguration` of the public API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamSelection {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sync_mode: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) cursor_field: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) primary_key: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) include_files: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destination_object_name: Option<String>,
    #[serde(default)]
    pub(crate) selected_fields: Option<Vec<SelectedField>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) mappers: Vec<Value>,
}

/// The streams of a connection as the public API answers them.
pub(crate) fn listed(catalog: SyncCatalog) -> Vec<StreamSelection> {
    let entries = catalog.streams.into_iter();
    entries
        .map(|StreamAndConfig { stream, config }| StreamSelection {
            name: stream.name,
            namespace: stream.namespace,
            sync_mode: combined(config.sync_mode, config.destination_sync_mode).map(str::to_owned),
            cursor_field: config.cursor_field,
            primary_key: config.primary_key,
            include_files: config.include_files,
            destination_object_name: config.destination_object_name,
            // Airbyte writes an empty list for "all columns", and refuses the same list when it
            // is sent back.
            selected_fields: Some(config.selected_fields),
            mappers: config.mappers,
        })
        .collect()
}

/// Every discovered stream, read whole and replaced whole.
pub(crate) fn everything(mut discovered: SyncCatalog) -> SyncCatalog {
    for entry in &mut discovered.streams {
        entry.config.selected = Some(true);
        entry.config.sync_mode = SyncMode::FullRefresh;
        entry.config.destination_sync_mode = DestinationSyncMode::Overwrite;
    }
    discovered
}

/// The catalog that a list of streams asks for.
pub(crate) fn select(
    discovered: &SyncCatalog,
    wanted: Vec<StreamSelection>,
    destination_modes: &[DestinationSyncMode],
) -> Result<SyncCatalog, Fault> {
    let mut seen = HashSet::new();
    let mut streams = Vec::with_capacity(wanted.len());
    for selection in wanted {
        let found = find(discovered, &selection)?;
        if !seen.insert(found.stream.descriptor()) {
            return bad(format!("stream {} is listed twice", selection.name));
        }
        let mappers = selection.mappers.clone();
        let mut config = configure(found, selection, destination_modes)?;
        config.mappers = checked_mappers(&found.stream, &config, &mappers)?;
        streams.push(StreamAndConfig {
            stream: found.stream.clone(),
            config,
        });
    }
    Ok(SyncCatalog { streams })
}

fn bad<T>(message: String) -> Result<T, Fault> {
    Err(Fault::BadRequest(message))
}

/// Mappers of a stream as they are kept, once they are known to be applicable.
pub(crate) fn checked_mappers(
    stream: &ApiStream,
    config: &StreamConfig,
    mappers: &[Value],
) -> Result<Vec<Value>, Fault> {
    if mappers.is_empty() {
        return Ok(Vec::new());
    }
    let mut copied = columns(&stream.json_schema).unwrap_or_default();
    if config.field_selection_enabled {
        copied.retain(|column| {
            let mut selected = config.selected_fields.iter();
            selected.any(|field| field.field_path.first() == Some(column))
        });
    }
    let place = mappers::Place {
        stream: &stream.name,
        columns: copied,
        needed: needed_columns(config).cloned().collect(),
    };
    mappers::checked(place, mappers)
}

/// A unique name is enough; a name in several namespaces needs its own.
fn find<'a>(
    discovered: &'a SyncCatalog,
    selection: &StreamSelection,
) -> Result<&'a StreamAndConfig, Fault> {
    let mut named = discovered
        .streams
        .iter()
        .filter(|entry| entry.stream.name == selection.name);
    let first = named.next();
    match (first, named.next()) {
        (Some(only), None) => Ok(only),
        _ => discovered
            .streams
            .iter()
            .find(|entry| {
                entry.stream.name == selection.name && entry.stream.namespace == selection.namespace
            })
            .ok_or_else(|| {
                Fault::BadRequest(format!(
                    "Invalid stream found. The stream {} does not exist in the source",
                    selection.name
                ))
            }),
    }
}

fn configure(
    found: &StreamAndConfig,
    wanted: StreamSelection,
    destination_modes: &[DestinationSyncMode],
) -> Result<StreamConfig, Fault> {
    let stream = &found.stream;
    let word = wanted
        .sync_mode
        .as_deref()
        .unwrap_or("full_refresh_overwrite");
    let Some((sync_mode, destination_sync_mode)) = split(word) else {
        return bad(format!("{word} is not a sync mode"));
    };
    let offered = destination_modes.contains(&destination_sync_mode)
        && stream.supported_sync_modes.contains(&sync_mode);
    if word != "full_refresh_overwrite" && !offered {
        return bad(format!(
            "Cannot set sync mode to {word} for stream {}: source and destination do not both \
             support it",
            stream.name
        ));
    }
    let schema: Value = crate::fault::stored("schema", stream.json_schema.get())?;
    let mut config = StreamConfig {
        sync_mode,
        destination_sync_mode,
        selected: Some(true),
        include_files: wanted.include_files,
        destination_object_name: wanted.destination_object_name,
        ..found.config.clone()
    };
    config.cursor_field = cursor(stream, &schema, sync_mode, wanted.cursor_field)?;
    config.primary_key = key(stream, &schema, config.is_deduped(), wanted.primary_key)?;
    if let Some(fields) = wanted.selected_fields {
        check_columns(stream, &config, &fields)?;
        config.field_selection_enabled = true;
        config.selected_fields = fields;
    }
    Ok(config)
}

fn cursor(
    stream: &ApiStream,
    schema: &Value,
    mode: SyncMode,
    wanted: Vec<String>,
) -> Result<Vec<String>, Fault> {
    let default = &stream.default_cursor_field;
    if mode == SyncMode::FullRefresh {
        return Ok(if wanted.is_empty() {
            default.clone()
        } else {
            wanted
        });
    }
    let name = &stream.name;
    if stream.source_defined_cursor == Some(true) {
        if !wanted.is_empty() && wanted != *default {
            return bad(format!(
                "Do not include a cursor field configuration for stream {name}: its source \
                 defines the cursor {default:?}"
            ));
        }
        return Ok(default.clone());
    }
    if wanted.is_empty() {
        if default.is_empty() {
            return bad(format!(
                "stream {name} needs a cursorField for this sync mode"
            ));
        }
        return Ok(default.clone());
    }
    if !has_path(schema, &wanted) {
        return bad(format!(
            "cursorField {wanted:?} is not a column of stream {name}"
        ));
    }
    Ok(wanted)
}

fn key(
    stream: &ApiStream,
    schema: &Value,
    deduped: bool,
    wanted: Vec<Vec<String>>,
) -> Result<Vec<Vec<String>>, Fault> {
    let own = &stream.source_defined_primary_key;
    if !deduped {
        return Ok(if wanted.is_empty() {
            own.clone()
        } else {
            wanted
        });
    }
    let name = &stream.name;
    if !own.is_empty() {
        if !wanted.is_empty() && wanted != *own {
            return bad(format!(
                "Do not include a primary key configuration for stream {name}: its source \
                 defines the key {own:?}"
            ));
        }
        return Ok(own.clone());
    }
    if wanted.is_empty() {
        return bad(format!(
            "stream {name} needs a primaryKey for this sync mode"
        ));
    }
    if let Some(missing) = wanted.iter().find(|path| !has_path(schema, path)) {
        return bad(format!(
            "primaryKey {missing:?} is not a column of stream {name}"
        ));
    }
    Ok(wanted)
}

fn check_columns(
    stream: &ApiStream,
    config: &StreamConfig,
    fields: &[SelectedField],
) -> Result<(), Fault> {
    let name = &stream.name;
    if fields.is_empty() {
        return bad(format!("selectedFields of stream {name} must not be empty"));
    }
    let known = columns(&stream.json_schema).unwrap_or_default();
    let mut seen = HashSet::new();
    for field in fields {
        let [column] = field.field_path.as_slice() else {
            let path = &field.field_path;
            return bad(format!(
                "selectedFields of stream {name}: {path:?} must name one top-level column"
            ));
        };
        if !seen.insert(column) {
            return bad(format!(
                "selectedFields of stream {name}: {column} is listed twice"
            ));
        }
        if !known.contains(column) {
            return bad(format!(
                "selectedFields of stream {name}: {column} is unknown"
            ));
        }
    }
    if let Some(missing) = missing_columns(config, &seen) {
        return bad(format!(
            "selectedFields of stream {name} must contain {missing}, its cursor or key needs it"
        ));
    }
    Ok(())
}

/// A column that cursor or key need and that is not selected.
pub(crate) fn missing_columns(
    config: &StreamConfig,
    selected: &HashSet<&String>,
) -> Option<String> {
    needed_columns(config)
        .find(|column| !selected.contains(column))
        .cloned()
}

/// The columns that a stream's cursor and key need.
fn needed_columns(config: &StreamConfig) -> impl Iterator<Item = &String> {
    let cursor = (config.sync_mode == SyncMode::Incremental)
        .then(|| config.cursor_field.first())
        .flatten();
    let keyed = config.is_deduped()
        || matches!(
            config.destination_sync_mode,
            DestinationSyncMode::Update | DestinationSyncMode::SoftDelete
        );
    let key = config.primary_key.iter().filter_map(|path| path.first());
    cursor.into_iter().chain(key.filter(move |_| keyed))
}
