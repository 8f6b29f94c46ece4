//! Default modes of a stream: Airbyte's suggestion, and AAM's own default, which also uses a cursor
//! that the source merely proposes.

use airbyte_protocol::{DestinationSyncMode, SyncMode};

use crate::model::{StreamConfig, StreamDef};
use crate::schema;

/// Modes with their cursor and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    /// The read mode.
    pub sync_mode: SyncMode,
    /// The write mode.
    pub destination_sync_mode: DestinationSyncMode,
    /// Path of the cursor; empty if the stream has none.
    pub cursor_field: Vec<String>,
    /// Paths of the key; empty if the stream has none.
    pub primary_key: Vec<Vec<String>>,
}

impl Modes {
    /// Writes the modes, cursor and key into a configuration.
    pub fn write_to(self, config: &mut StreamConfig) {
        config.sync_mode = self.sync_mode;
        config.destination_sync_mode = self.destination_sync_mode;
        config.cursor_field = self.cursor_field;
        config.primary_key = self.primary_key;
    }
}

/// The modes that Airbyte's discovery suggests for a stream.
pub fn suggested(stream: &StreamDef) -> (SyncMode, DestinationSyncMode) {
    if stream.source_defined_cursor == Some(true) {
        if !stream.source_defined_primary_key.is_empty() {
            return (SyncMode::Incremental, DestinationSyncMode::AppendDedup);
        }
        if !stream.supports_full_refresh() {
            return (SyncMode::Incremental, DestinationSyncMode::Append);
        }
    }
    (SyncMode::FullRefresh, DestinationSyncMode::Overwrite)
}

/// Whether the destination supports the mode; an empty list means unknown.
pub fn offers(destination: &[DestinationSyncMode], mode: DestinationSyncMode) -> bool {
    destination.is_empty() || destination.contains(&mode)
}

/// AAM's default: incremental with deduplication if there are cursor and key, otherwise full
/// refresh with overwrite, otherwise any modes that source and destination support. `destination`
/// lists the destination's modes; empty means unknown.
pub fn choose_modes(stream: &StreamDef, destination: &[DestinationSyncMode]) -> Modes {
    let modes = |sync_mode, destination_sync_mode| Modes {
        sync_mode,
        destination_sync_mode,
        cursor_field: stream.default_cursor_field.clone(),
        primary_key: stream.source_defined_primary_key.clone(),
    };
    let can = |mode| offers(destination, mode);
    let incremental = stream.supports_incremental() && has_cursor(stream);
    let full = stream.supports_full_refresh();
    if incremental && has_key(stream) && can(DestinationSyncMode::AppendDedup) {
        return modes(SyncMode::Incremental, DestinationSyncMode::AppendDedup);
    }
    if full && can(DestinationSyncMode::Overwrite) {
        return modes(SyncMode::FullRefresh, DestinationSyncMode::Overwrite);
    }
    if incremental && can(DestinationSyncMode::Append) {
        return modes(SyncMode::Incremental, DestinationSyncMode::Append);
    }
    let read = if full {
        SyncMode::FullRefresh
    } else {
        SyncMode::Incremental
    };
    if can(DestinationSyncMode::Append) {
        return modes(read, DestinationSyncMode::Append);
    }
    modes(read, destination.first().copied().unwrap_or_default())
}

/// Full refresh with overwrite, or the closest supported modes: for a stream that lost its cursor
/// or key.
pub fn without_cursor(stream: &StreamDef, destination: &[DestinationSyncMode]) -> Modes {
    let mut bare = stream.clone();
    bare.source_defined_cursor = None;
    bare.default_cursor_field.clear();
    let mut modes = choose_modes(&bare, destination);
    modes.cursor_field.clear();
    modes
}

/// Whether there is a cursor: source-defined, or proposed and present.
pub fn has_cursor(stream: &StreamDef) -> bool {
    let proposed = &stream.default_cursor_field;
    stream.source_defined_cursor == Some(true)
        || (!proposed.is_empty() && schema::may_have(&stream.json_schema, proposed))
}

/// Whether the source defines a key of columns that exist.
pub fn has_key(stream: &StreamDef) -> bool {
    let key = &stream.source_defined_primary_key;
    !key.is_empty()
        && key
            .iter()
            .all(|part| schema::may_have(&stream.json_schema, part))
}
