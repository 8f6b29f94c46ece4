//! Which modes a stream gets when nobody chose: Airbyte's suggestion, and AAM's own default, which
//! also uses a cursor that the source merely proposes.

use airbyte_protocol::{DestinationSyncMode, SyncMode};

use crate::model::{StreamConfig, StreamDef};
use crate::schema;

/// Modes with the cursor and the key they use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    /// How the stream is read.
    pub sync_mode: SyncMode,
    /// How it is written.
    pub destination_sync_mode: DestinationSyncMode,
    /// Path of the cursor; empty when the stream has none.
    pub cursor_field: Vec<String>,
    /// Paths of the key; empty when the stream has none.
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

/// What Airbyte's discover suggests for a stream.
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

/// Whether the destination offers the mode; an empty list means that it is not known.
pub fn offers(destination: &[DestinationSyncMode], mode: DestinationSyncMode) -> bool {
    destination.is_empty() || destination.contains(&mode)
}

/// AAM's default: incremental with deduplication where there are cursor and key, else full
/// refresh with overwrite, else what source and destination can do. `destination` lists the
/// destination's modes; empty means that they are not known.
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

/// Full refresh with overwrite, or what comes nearest: for a stream that lost its cursor or key.
pub fn without_cursor(stream: &StreamDef, destination: &[DestinationSyncMode]) -> Modes {
    let mut bare = stream.clone();
    bare.source_defined_cursor = None;
    bare.default_cursor_field.clear();
    let mut modes = choose_modes(&bare, destination);
    modes.cursor_field.clear();
    modes
}

/// Whether there is a cursor to read by: the source's own, or one that it proposes and has.
pub fn has_cursor(stream: &StreamDef) -> bool {
    let proposed = &stream.default_cursor_field;
    stream.source_defined_cursor == Some(true)
        || (!proposed.is_empty() && schema::may_have(&stream.json_schema, proposed))
}

/// Whether the source says what identifies a row, by columns that it has.
pub fn has_key(stream: &StreamDef) -> bool {
    let key = &stream.source_defined_primary_key;
    !key.is_empty()
        && key
            .iter()
            .all(|part| schema::may_have(&stream.json_schema, part))
}
