//! Validates that a stream can be synced with its settings.

use airbyte_protocol::DestinationSyncMode;

use crate::fault::{Fault, Faults};
use crate::model::{StreamConfig, StreamDef, SyncCatalog};
use crate::modes;
use crate::schema;
use crate::select::word;

impl SyncCatalog {
    /// Whether Airbyte accepts the catalog: every selected stream has modes that source and
    /// destination support, the cursor and key that they require, and a selection that contains
    /// both. `destination` lists the destination's modes; empty means unknown.
    ///
    /// # Errors
    /// Returns every fault, with its path.
    pub fn check(&self, destination: &[DestinationSyncMode]) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for (index, entry) in self.streams.iter().enumerate() {
            if entry.config.selected {
                let path = format!("$.streams[{index}]");
                let (stream, config) = (&entry.stream, &entry.config);
                validate(&path, stream, config, destination, &mut faults);
            }
        }
        Faults::unless_any(faults, ())
    }
}

/// The faults of a selected stream's settings: missing or nonexistent columns and unsupported
/// modes.
pub(crate) fn validate(
    path: &str,
    stream: &StreamDef,
    config: &StreamConfig,
    destination: &[DestinationSyncMode],
    faults: &mut Vec<Fault>,
) {
    let descriptor = stream.descriptor();
    let name = descriptor.to_string();
    let mut fault = |member: &str, message: String| {
        faults.push(Fault::of(
            format!("{path}.{member}"),
            descriptor.clone(),
            message,
        ));
    };
    let listed = &stream.supported_sync_modes;
    if config.is_incremental() && !listed.is_empty() && !stream.supports_incremental() {
        fault(
            "sync_mode",
            format!("the source cannot read stream {name} incrementally"),
        );
    }
    if !config.is_incremental() && !stream.supports_full_refresh() {
        fault(
            "sync_mode",
            format!("the source cannot read stream {name} completely"),
        );
    }
    if !modes::offers(destination, config.destination_sync_mode) {
        let wanted = word(config.destination_sync_mode);
        fault(
            "destination_sync_mode",
            format!("the destination cannot write stream {name} with {wanted}"),
        );
    }
    let lacks = |path: &[String]| !schema::may_have(&stream.json_schema, path);
    let dotted = |path: &[String]| path.join(".");
    if config.is_incremental() {
        let cursor = &config.cursor_field;
        if stream.source_defined_cursor != Some(true) {
            if cursor.is_empty() {
                let message = format!(
                    "stream {name} is read incrementally but has no cursor: set cursor_field"
                );
                fault("cursor_field", message);
            } else if lacks(cursor) {
                let cursor = dotted(cursor);
                fault(
                    "cursor_field",
                    format!("stream {name} has no column {cursor} for a cursor"),
                );
            }
        } else if !cursor.is_empty() && *cursor != stream.default_cursor_field {
            let message = format!("the source itself defines the cursor of stream {name}");
            fault("cursor_field", message);
        }
    }
    if config.needs_key() {
        if config.primary_key.is_empty() {
            let wanted = word(config.destination_sync_mode);
            let message =
                format!("stream {name} is written with {wanted} but has no key: set primary_key");
            fault("primary_key", message);
        }
        for part in config.primary_key.iter().filter(|part| lacks(part)) {
            let part = dotted(part);
            fault(
                "primary_key",
                format!("stream {name} has no column {part} for a key"),
            );
        }
    }
    let Some(selected) = &config.selected_fields else {
        return;
    };
    if selected.is_empty() {
        fault(
            "selected_fields",
            format!("no column of stream {name} is selected"),
        );
    }
    for (index, field) in selected.iter().enumerate() {
        let shown = dotted(field);
        if field.len() != 1 {
            let message = format!("{shown:?} is not a top-level column of stream {name}");
            fault("selected_fields", message);
        } else if selected[..index].contains(field) {
            fault(
                "selected_fields",
                format!("column {shown} of stream {name} is listed twice"),
            );
        } else if lacks(field) {
            fault(
                "selected_fields",
                format!("stream {name} has no column {shown}"),
            );
        }
    }
    let needed_cursor = config.is_incremental().then_some(&config.cursor_field);
    let needed_key = config.primary_key.iter().filter(|_| config.needs_key());
    for needed in needed_cursor.into_iter().chain(needed_key) {
        let Some(column) = needed.first().filter(|column| !config.copies(column)) else {
            continue;
        };
        let message =
            format!("the selection of stream {name} lacks its key or cursor column {column}");
        fault("selected_fields", message);
    }
}

/// A requested cursor or key must exist even if the modes do not use it: the modes may have been
/// chosen because it does not.
pub(crate) fn validate_unused(
    path: &str,
    stream: &StreamDef,
    config: &StreamConfig,
    (cursor, key): (Option<&[String]>, Option<&[Vec<String>]>),
    faults: &mut Vec<Fault>,
) {
    let cursor = cursor.filter(|cursor| !config.is_incremental() && !cursor.is_empty());
    let key = key.filter(|_| !config.needs_key()).unwrap_or_default();
    let cursor = cursor
        .into_iter()
        .map(|cursor| ("cursor_field", "cursor", cursor));
    let key = key
        .iter()
        .map(|part| ("primary_key", "key", part.as_slice()));
    for (member, role, column) in cursor.chain(key) {
        if !schema::may_have(&stream.json_schema, column) {
            let descriptor = stream.descriptor();
            let column = column.join(".");
            let message = format!("stream {descriptor} has no column {column} for a {role}");
            faults.push(Fault::of(format!("{path}.{member}"), descriptor, message));
        }
    }
}
