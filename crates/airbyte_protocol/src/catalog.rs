//! Streams as a source offers them and as a connection configures them, in the protocol's notation.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How a source reads a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// Everything, every time.
    #[default]
    FullRefresh,
    /// What changed since the saved state.
    Incremental,
}

/// What a destination does with the records of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationSyncMode {
    /// Adds rows.
    #[default]
    Append,
    /// Replaces all rows.
    Overwrite,
    /// Adds rows and keeps the newest per primary key.
    AppendDedup,
    /// Replaces all rows and keeps the newest per primary key. Known to the platform only: a
    /// connector is never sent it.
    OverwriteDedup,
    /// Updates rows that exist.
    Update,
    /// Marks rows as deleted.
    SoftDelete,
}

/// A stream's identity: its name within an optional namespace. An absent namespace differs from
/// an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamDescriptor {
    /// The stream's name, case-sensitive.
    pub name: String,
    /// The stream's namespace (a database schema, for instance).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl std::fmt::Display for StreamDescriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A stream that a source offers (`AirbyteStream`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// The stream's name.
    pub name: String,
    /// JSON schema of the stream's records, as written by the connector.
    pub json_schema: Box<RawValue>,
    /// Read modes the source supports.
    #[serde(default)]
    pub supported_sync_modes: Vec<SyncMode>,
    /// Whether the source chooses the cursor itself; a configured one is then ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_defined_cursor: Option<bool>,
    /// Path of the cursor the source proposes.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub default_cursor_field: Vec<String>,
    /// Paths of the key the source defines.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub source_defined_primary_key: Vec<Vec<String>>,
    /// The stream's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Whether a full refresh of the stream can checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_resumable: Option<bool>,
    /// Whether the stream's records are files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_file_based: Option<bool>,
}

impl Stream {
    /// The stream's identity.
    pub fn descriptor(&self) -> StreamDescriptor {
        StreamDescriptor {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

/// What `discover` answers: every stream the source has (`AirbyteCatalog`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// The streams, in the source's order.
    pub streams: Vec<Stream>,
}

/// A stream with the modes a connection chose for it (`ConfiguredAirbyteStream`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfiguredStream {
    /// The stream, its schema narrowed to the selected columns.
    pub stream: Stream,
    /// How it is read.
    #[serde(default)]
    pub sync_mode: SyncMode,
    /// How it is written.
    #[serde(default)]
    pub destination_sync_mode: DestinationSyncMode,
    /// Path of the cursor; empty when the stream has none.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub cursor_field: Vec<String>,
    /// Paths of the key; empty when the stream has none.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub primary_key: Vec<Vec<String>>,
    /// Generation that the records of this attempt belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<i64>,
    /// Rows of lower generations go when the stream completes; 0 keeps all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_generation_id: Option<i64>,
    /// The job's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_id: Option<i64>,
}

/// What `read` and `write` are given (`ConfiguredAirbyteCatalog`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ConfiguredCatalog {
    /// The selected streams.
    pub streams: Vec<ConfiguredStream>,
}

/// Connectors write `null` where the protocol means an empty list.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
