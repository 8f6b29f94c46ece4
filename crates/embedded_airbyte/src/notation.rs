//! The Config API's catalog notation and its translation from and to the protocol's.
//!
//! Schemas stay the text that the connector wrote: they are large, their key order matters to
//! Airbyte's diff, and hardly anybody looks inside.

use airbyte_protocol::{DestinationSyncMode, Stream, StreamDescriptor, SyncMode};
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// `AirbyteCatalog` of the Config API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SyncCatalog {
    pub(crate) streams: Vec<StreamAndConfig>,
}

/// `AirbyteStreamAndConfiguration`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamAndConfig {
    pub(crate) stream: ApiStream,
    pub(crate) config: StreamConfig,
}

/// `AirbyteStream` of the Config API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiStream {
    pub(crate) name: String,
    #[serde(default = "empty_schema")]
    pub(crate) json_schema: Box<RawValue>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) supported_sync_modes: Vec<SyncMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_defined_cursor: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) default_cursor_field: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) source_defined_primary_key: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) is_resumable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) is_file_based: Option<bool>,
}

/// `AirbyteStreamConfiguration`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamConfig {
    pub(crate) sync_mode: SyncMode,
    pub(crate) destination_sync_mode: DestinationSyncMode,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) cursor_field: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) primary_key: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) selected: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) suggested: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) include_files: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destination_object_name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) field_selection_enabled: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) selected_fields: Vec<SelectedField>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) hashed_fields: Vec<SelectedField>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) mappers: Vec<Value>,
}

/// `SelectedFieldInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelectedField {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) field_path: Vec<String>,
}

/// Clients write `null` for what they leave out.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A number that may come as text, as Jackson takes it.
pub(crate) fn long<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    optional_long(deserializer)?.ok_or_else(|| serde::de::Error::custom("a number is required"))
}

/// The same where it may be left out.
pub(crate) fn optional_long<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Long {
        Number(i64),
        Text(String),
    }
    match Option::<Long>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Long::Number(number)) => Ok(Some(number)),
        Some(Long::Text(text)) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(serde::de::Error::custom("a number is required")),
        },
    }
}

fn empty_schema() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("{} is JSON")
}

impl ApiStream {
    /// The stream's identity.
    pub(crate) fn descriptor(&self) -> StreamDescriptor {
        StreamDescriptor {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

impl From<Stream> for ApiStream {
    fn from(stream: Stream) -> Self {
        Self {
            name: stream.name,
            json_schema: stream.json_schema,
            supported_sync_modes: stream.supported_sync_modes,
            source_defined_cursor: stream.source_defined_cursor,
            default_cursor_field: stream.default_cursor_field,
            source_defined_primary_key: stream.source_defined_primary_key,
            namespace: stream.namespace,
            is_resumable: stream.is_resumable,
            is_file_based: stream.is_file_based,
        }
    }
}

impl From<ApiStream> for Stream {
    fn from(stream: ApiStream) -> Self {
        Self {
            name: stream.name,
            json_schema: stream.json_schema,
            supported_sync_modes: stream.supported_sync_modes,
            source_defined_cursor: stream.source_defined_cursor,
            default_cursor_field: stream.default_cursor_field,
            source_defined_primary_key: stream.source_defined_primary_key,
            namespace: stream.namespace,
            is_resumable: stream.is_resumable,
            is_file_based: stream.is_file_based,
        }
    }
}

impl StreamConfig {
    /// What Airbyte suggests for a discovered stream.
    pub(crate) fn suggested(stream: &ApiStream, only_stream: bool) -> Self {
        let own_cursor = stream.source_defined_cursor == Some(true);
        let own_key = !stream.source_defined_primary_key.is_empty();
        let supports = |mode| stream.supported_sync_modes.contains(&mode);
        let (sync_mode, destination_sync_mode) = if own_cursor && own_key {
            (SyncMode::Incremental, DestinationSyncMode::AppendDedup)
        } else if own_cursor && !supports(SyncMode::FullRefresh) && supports(SyncMode::Incremental)
        {
            (SyncMode::Incremental, DestinationSyncMode::Append)
        } else {
            (SyncMode::FullRefresh, DestinationSyncMode::Overwrite)
        };
        Self {
            sync_mode,
            destination_sync_mode,
            cursor_field: stream.default_cursor_field.clone(),
            primary_key: stream.source_defined_primary_key.clone(),
            alias_name: Some(alias(&stream.name)),
            selected: Some(only_stream),
            suggested: Some(only_stream),
            include_files: None,
            destination_object_name: None,
            field_selection_enabled: false,
            selected_fields: Vec::new(),
            hashed_fields: Vec::new(),
            mappers: Vec::new(),
        }
    }

    /// Whether the destination keeps one row per key.
    pub(crate) fn is_deduped(&self) -> bool {
        matches!(
            self.destination_sync_mode,
            DestinationSyncMode::AppendDedup | DestinationSyncMode::OverwriteDedup
        )
    }
}

fn alias(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// A discovered catalog with Airbyte's suggestions.
pub(crate) fn with_suggestions(catalog: airbyte_protocol::Catalog) -> SyncCatalog {
    let only_stream = catalog.streams.len() == 1;
    let streams = catalog
        .streams
        .into_iter()
        .map(|stream| {
            let stream = ApiStream::from(stream);
            let config = StreamConfig::suggested(&stream, only_stream);
            StreamAndConfig { stream, config }
        })
        .collect();
    SyncCatalog { streams }
}

/// The public API's word for a pair of modes; some pairs have none.
pub(crate) fn combined(sync: SyncMode, destination: DestinationSyncMode) -> Option<&'static str> {
    COMBINED
        .iter()
        .find(|(_, s, d)| (*s, *d) == (sync, destination))
        .map(|(word, _, _)| *word)
}

/// The pair of modes behind the public API's word.
pub(crate) fn split(word: &str) -> Option<(SyncMode, DestinationSyncMode)> {
    COMBINED
        .iter()
        .find(|(known, _, _)| *known == word)
        .map(|(_, sync, destination)| (*sync, *destination))
}

const COMBINED: [(&str, SyncMode, DestinationSyncMode); 9] = {
    use DestinationSyncMode::{Append, AppendDedup, Overwrite, OverwriteDedup, SoftDelete, Update};
    use SyncMode::{FullRefresh, Incremental};
    [
        ("full_refresh_append", FullRefresh, Append),
        ("full_refresh_overwrite", FullRefresh, Overwrite),
        (
            "full_refresh_overwrite_deduped",
            FullRefresh,
            OverwriteDedup,
        ),
        ("full_refresh_update", FullRefresh, Update),
        ("full_refresh_soft_delete", FullRefresh, SoftDelete),
        ("incremental_append", Incremental, Append),
        ("incremental_deduped_history", Incremental, AppendDedup),
        ("incremental_update", Incremental, Update),
        ("incremental_soft_delete", Incremental, SoftDelete),
    ]
};

/// Names of a schema's top-level columns; `None` when it lists no `properties`.
pub(crate) fn columns(schema: &RawValue) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Properties {
        properties: Option<IndexMap<String, serde::de::IgnoredAny>>,
    }
    serde_json::from_str::<Properties>(schema.get())
        .ok()?
        .properties
        .map(|properties| properties.into_keys().collect())
}

/// The schema with only the columns that `keep` names.
pub(crate) fn narrowed(
    schema: &RawValue,
    keep: &[SelectedField],
) -> Result<Box<RawValue>, serde_json::Error> {
    let mut members: IndexMap<String, Box<RawValue>> = serde_json::from_str(schema.get())?;
    if let Some(properties) = members.get_mut("properties") {
        let mut columns: IndexMap<String, Box<RawValue>> = serde_json::from_str(properties.get())?;
        columns.retain(|name, _| {
            keep.iter()
                .any(|field| field.field_path.first() == Some(name))
        });
        *properties = serde_json::value::to_raw_value(&columns)?;
    }
    serde_json::value::to_raw_value(&members)
}

/// Paths of all nodes below nested `properties`, parents before children.
pub(crate) fn property_paths(schema: &Value) -> Vec<Vec<String>> {
    fn walk(node: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        let none = Map::new();
        let properties = node.get("properties").and_then(Value::as_object);
        for (name, child) in properties.unwrap_or(&none) {
            path.push(name.clone());
            found.push(path.clone());
            walk(child, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    walk(schema, &mut Vec::new(), &mut found);
    found
}

/// Whether a path leads through nested `properties`.
pub(crate) fn has_path(schema: &Value, path: &[String]) -> bool {
    !path.is_empty()
        && path
            .iter()
            .try_fold(schema, |node, name| node.get("properties")?.get(name))
            .is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn suggestions_follow_cursor_key_and_modes() {
        use DestinationSyncMode::{Append, AppendDedup, Overwrite};
        let stream = |cursor: bool, key: bool, modes: &[SyncMode]| -> ApiStream {
            let key = if key { json!([["id"]]) } else { json!([]) };
            serde_json::from_value(json!({"name": "a b", "sourceDefinedCursor": cursor,
                "sourceDefinedPrimaryKey": key, "supportedSyncModes": modes}))
            .unwrap()
        };
        let both = [SyncMode::FullRefresh, SyncMode::Incremental];
        let incremental = [SyncMode::Incremental];
        for (stream, expected) in [
            (
                stream(true, true, &[]),
                (SyncMode::Incremental, AppendDedup),
            ),
            (
                stream(true, false, &both),
                (SyncMode::FullRefresh, Overwrite),
            ),
            (
                stream(true, false, &incremental),
                (SyncMode::Incremental, Append),
            ),
            (
                stream(false, true, &both),
                (SyncMode::FullRefresh, Overwrite),
            ),
        ] {
            let config = StreamConfig::suggested(&stream, false);
            assert_eq!((config.sync_mode, config.destination_sync_mode), expected);
            assert_eq!(config.alias_name.as_deref(), Some("a_b"));
        }
    }

    #[test]
    fn narrowing_keeps_order_and_text_of_what_stays() {
        let schema = r#"{"type":"object","properties":{"z":{"b":1,"a":2},"y":{},"x":{}}}"#;
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        let keep = ["x", "z"].map(|name| SelectedField {
            field_path: vec![name.to_owned()],
        });
        assert_eq!(
            narrowed(&schema, &keep).unwrap().get(),
            r#"{"type":"object","properties":{"z":{"b":1,"a":2},"x":{}}}"#
        );
    }

    #[test]
    fn paths_enter_nested_properties_only() {
        let schema = json!({"properties": {"a": {"properties": {"b": {}}},
            "c": {"items": {"properties": {"d": {}}}}}});
        assert_eq!(
            property_paths(&schema),
            [vec!["a"], vec!["a", "b"], vec!["c"]]
        );
        assert!(has_path(&schema, &["a".into(), "b".into()]));
        assert!(!has_path(&schema, &["c".into(), "d".into()]));
        assert!(!has_path(&schema, &[]));
    }
}
