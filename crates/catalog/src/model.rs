//! A catalog in memory: a typed envelope whose schemas stay raw text. Two large catalogs as parsed
//! values would take forty times their size.

use std::sync::Arc;

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor, SyncMode};
use indexmap::IndexMap;
use serde_json::value::RawValue;

/// A stream's JSON schema as the connector wrote it, with its member order. Cheap to clone.
pub type Schema = Arc<RawValue>;

/// Members unknown to this version, unchanged: stored in the registry, never sent to Airbyte.
#[derive(Clone, Default)]
pub struct Extra(pub IndexMap<String, Schema>);

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        let same = |(name, value): (&String, &Schema)| {
            let other = other.0.get(name);
            other.is_some_and(|other| other.get() == value.get())
        };
        self.0.len() == other.0.len() && self.0.iter().all(same)
    }
}

/// Unknown members may be secrets, so `Debug` shows only their names.
impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Everything a source offers, with the connection's settings for each stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SyncCatalog {
    /// The streams, in document order; no two have the same descriptor.
    pub streams: Vec<SyncStream>,
    /// Unknown members next to them.
    pub extra: Extra,
}

/// A stream and its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncStream {
    /// What the source offers.
    pub stream: StreamDef,
    /// The connection's settings for it.
    pub config: StreamConfig,
}

/// A stream as the source describes it.
#[derive(Debug, Clone)]
pub struct StreamDef {
    /// The stream's name.
    pub name: String,
    /// The stream's namespace; absent differs from empty.
    pub namespace: Option<String>,
    /// JSON schema of its records.
    pub json_schema: Schema,
    /// The supported read modes.
    pub supported_sync_modes: Vec<SyncMode>,
    /// Whether the source chooses the cursor itself.
    pub source_defined_cursor: Option<bool>,
    /// The cursor that the source proposes or, if it is source-defined, uses.
    pub default_cursor_field: Vec<String>,
    /// The key that the source defines: one path per part.
    pub source_defined_primary_key: Vec<Vec<String>>,
    /// Whether a full refresh can checkpoint.
    pub is_resumable: Option<bool>,
    /// Whether the records are files.
    pub is_file_based: Option<bool>,
    /// Unknown members of the stream object.
    pub extra: Extra,
}

/// A connection's settings for a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamConfig {
    /// The read mode.
    pub sync_mode: SyncMode,
    /// The write mode.
    pub destination_sync_mode: DestinationSyncMode,
    /// Path of the cursor; empty for none.
    pub cursor_field: Vec<String>,
    /// Paths of the key; empty for none.
    pub primary_key: Vec<Vec<String>>,
    /// Whether it is synced at all.
    pub selected: bool,
    /// Whether the source's author recommends it.
    pub suggested: Option<bool>,
    /// The columns that are synced; absent means all. Airbyte's `fieldSelectionEnabled` is whether
    /// this is present.
    pub selected_fields: Option<Vec<Vec<String>>>,
    /// Columns that are hashed; Airbyte prefers a mapper.
    pub hashed_fields: Option<Vec<Vec<String>>>,
    /// Transformations of the records.
    pub mappers: Mappers,
    /// A sanitized name created by Airbyte.
    pub alias_name: Option<String>,
    /// Airbyte's `config.namespace`.
    pub namespace: Option<String>,
    /// Target object of a data activation.
    pub destination_object_name: Option<String>,
    /// Whether files are synced as well.
    pub include_files: Option<bool>,
    /// Lowest generation that survives the next sync.
    pub minimum_generation_id: Option<i64>,
    /// Generation of the next sync's records.
    pub generation_id: Option<i64>,
    /// The job's id.
    pub sync_id: Option<i64>,
    /// Unknown members of the configuration.
    pub extra: Extra,
    /// Unknown members of the Config API's entry, next to `stream` and `config`.
    pub beside: Extra,
}

/// Transformations of a stream's records, as Airbyte writes them. An encryption mapper contains its
/// key, so `Debug` shows only their number.
#[derive(Clone, Default, PartialEq)]
pub struct Mappers(pub Vec<serde_json::Value>);

impl std::fmt::Debug for Mappers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mappers({})", self.0.len())
    }
}

impl PartialEq for StreamDef {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.namespace == other.namespace
            && self.same_schema_text(other)
            && self.supported_sync_modes == other.supported_sync_modes
            && self.source_defined_cursor == other.source_defined_cursor
            && self.default_cursor_field == other.default_cursor_field
            && self.source_defined_primary_key == other.source_defined_primary_key
            && self.is_resumable == other.is_resumable
            && self.is_file_based == other.is_file_based
            && self.extra == other.extra
    }
}

impl StreamDef {
    /// The stream's identity.
    pub fn descriptor(&self) -> StreamDescriptor {
        StreamDescriptor {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
        }
    }

    /// Whether this is the stream with that name and namespace.
    pub fn is(&self, descriptor: &StreamDescriptor) -> bool {
        self.name == descriptor.name && self.namespace == descriptor.namespace
    }

    /// Whether the source can read the stream incrementally. A source-defined cursor implies it:
    /// Airbyte does not consult the list of modes then.
    pub fn supports_incremental(&self) -> bool {
        self.supported_sync_modes.contains(&SyncMode::Incremental)
            || self.source_defined_cursor == Some(true)
    }

    /// Whether the source can read the stream completely. An empty list of modes means unknown.
    pub fn supports_full_refresh(&self) -> bool {
        self.supported_sync_modes.is_empty()
            || self.supported_sync_modes.contains(&SyncMode::FullRefresh)
    }

    /// Names of the top-level columns, in document order.
    pub fn columns(&self) -> Vec<String> {
        crate::schema::columns(&self.json_schema)
    }

    pub(crate) fn same_schema_text(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.json_schema, &other.json_schema)
            || self.json_schema.get() == other.json_schema.get()
    }
}

impl StreamConfig {
    /// Whether the destination deduplicates rows by key.
    pub fn is_deduped(&self) -> bool {
        matches!(
            self.destination_sync_mode,
            DestinationSyncMode::AppendDedup | DestinationSyncMode::OverwriteDedup
        )
    }

    /// Whether writing the stream requires a key: deduplication, updates, soft deletes.
    pub fn needs_key(&self) -> bool {
        self.is_deduped()
            || matches!(
                self.destination_sync_mode,
                DestinationSyncMode::Update | DestinationSyncMode::SoftDelete
            )
    }

    /// Whether only changes are read.
    pub fn is_incremental(&self) -> bool {
        self.sync_mode == SyncMode::Incremental
    }

    /// Whether the top-level column is synced.
    pub fn copies(&self, column: &str) -> bool {
        self.selected_fields.as_ref().is_none_or(|fields| {
            fields
                .iter()
                .any(|path| path.first().is_some_and(|f| f == column))
        })
    }
}

impl SyncStream {
    /// The stream's identity.
    pub fn descriptor(&self) -> StreamDescriptor {
        self.stream.descriptor()
    }

    /// The schema with only the columns that are synced, as Airbyte stores it.
    pub fn narrowed_schema(&self) -> Schema {
        match &self.config.selected_fields {
            None => Arc::clone(&self.stream.json_schema),
            Some(fields) => crate::schema::narrowed(&self.stream.json_schema, fields),
        }
    }
}

impl SyncCatalog {
    /// A catalog with these streams.
    pub fn new(streams: Vec<SyncStream>) -> Self {
        Self {
            streams,
            extra: Extra::default(),
        }
    }

    /// Returns the stream with that name and namespace.
    pub fn stream(&self, descriptor: &StreamDescriptor) -> Option<&SyncStream> {
        self.streams.iter().find(|s| s.stream.is(descriptor))
    }

    /// The streams that are synced.
    pub fn selected(&self) -> impl Iterator<Item = &SyncStream> {
        self.streams.iter().filter(|s| s.config.selected)
    }

    /// The same catalog with every stream selected.
    #[must_use]
    pub fn with_all_selected(mut self) -> Self {
        for stream in &mut self.streams {
            stream.config.selected = true;
        }
        self
    }
}
