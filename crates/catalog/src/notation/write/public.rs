//! The public API's notation: a connection's settings for its streams, without their schemas.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use serde::{Deserialize, Serialize, Serializer};

use crate::model::{Extra, SyncStream};

/// A stream as the public API configures it: an element of `configurations.streams`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicStream {
    /// The stream's name.
    pub name: String,
    /// The stream's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Both modes in one word; absent for pairs that the public API cannot express.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_mode: Option<String>,
    /// Path of the cursor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursor_field: Vec<String>,
    /// Paths of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<Vec<String>>,
    /// The columns that are synced; Airbyte rejects an empty list, so absent means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected_fields: Vec<PublicField>,
    /// Transformations of the records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mappers: Vec<serde_json::Value>,
    /// Whether files are synced as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_files: Option<bool>,
    /// Target object of a data activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_object_name: Option<String>,
}

/// A column of a selection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicField {
    /// Its path; one element in practice.
    pub field_path: Vec<String>,
}

/// The public API's word for a pair of modes, if it has one.
pub fn combined_mode(read: SyncMode, write: DestinationSyncMode) -> Option<&'static str> {
    use DestinationSyncMode as D;
    Some(match (read, write) {
        (SyncMode::FullRefresh, D::Overwrite) => "full_refresh_overwrite",
        (SyncMode::FullRefresh, D::Append) => "full_refresh_append",
        (SyncMode::FullRefresh, D::OverwriteDedup) => "full_refresh_overwrite_deduped",
        (SyncMode::FullRefresh, D::Update) => "full_refresh_update",
        (SyncMode::FullRefresh, D::SoftDelete) => "full_refresh_soft_delete",
        (SyncMode::Incremental, D::Append) => "incremental_append",
        (SyncMode::Incremental, D::AppendDedup) => "incremental_deduped_history",
        (SyncMode::Incremental, D::Update) => "incremental_update",
        (SyncMode::Incremental, D::SoftDelete) => "incremental_soft_delete",
        (SyncMode::FullRefresh, D::AppendDedup)
        | (SyncMode::Incremental, D::Overwrite | D::OverwriteDedup) => return None,
    })
}

/// The pair of modes that the public API's word stands for.
pub fn split_mode(word: &str) -> Option<(SyncMode, DestinationSyncMode)> {
    use DestinationSyncMode as D;
    let writes = [
        D::Append,
        D::Overwrite,
        D::AppendDedup,
        D::OverwriteDedup,
        D::Update,
        D::SoftDelete,
    ];
    let reads = [SyncMode::FullRefresh, SyncMode::Incremental];
    let mut pairs = reads
        .into_iter()
        .flat_map(|read| writes.map(|write| (read, write)));
    pairs.find(|(read, write)| combined_mode(*read, *write) == Some(word))
}

impl PublicStream {
    fn of(entry: &SyncStream) -> Self {
        let config = &entry.config;
        let modes = combined_mode(config.sync_mode, config.destination_sync_mode);
        let fields = config.selected_fields.iter().flatten();
        Self {
            name: entry.stream.name.clone(),
            namespace: entry.stream.namespace.clone(),
            sync_mode: modes.map(str::to_owned),
            cursor_field: config.cursor_field.clone(),
            primary_key: config.primary_key.clone(),
            selected_fields: fields
                .cloned()
                .map(|field_path| PublicField { field_path })
                .collect(),
            mappers: config.mappers.0.clone(),
            include_files: config.include_files,
            destination_object_name: config.destination_object_name.clone(),
        }
    }

    /// The form that Airbyte accepts: it rejects a cursor or key that differs from a source-defined
    /// one, and requires none.
    pub(super) fn to_send(entry: &SyncStream) -> Self {
        let config = &entry.config;
        let own_cursor = entry.stream.source_defined_cursor == Some(true);
        let mut stream = Self::of(entry);
        if own_cursor || !config.is_incremental() {
            stream.cursor_field.clear();
        }
        if !entry.stream.source_defined_primary_key.is_empty() || !config.needs_key() {
            stream.primary_key.clear();
        }
        stream
    }
}

/// An entry to write, with the members unknown to AAM.
#[derive(Serialize)]
pub(super) struct PublicEntry<'a> {
    #[serde(flatten)]
    stream: PublicStream,
    #[serde(flatten, serialize_with = "extra")]
    extra: Option<&'a Extra>,
}

impl<'a> PublicEntry<'a> {
    pub(super) fn of(entry: &SyncStream, extra: Option<&'a Extra>) -> Self {
        let stream = PublicStream::of(entry);
        Self { stream, extra }
    }
}

fn extra<S: Serializer>(extra: &Option<&Extra>, serializer: S) -> Result<S::Ok, S::Error> {
    let members = extra.iter().flat_map(|Extra(members)| members);
    serializer.collect_map(members.map(|(name, value)| (name, &**value)))
}
