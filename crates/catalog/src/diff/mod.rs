//! Airbyte's own schema diff, reproduced exactly, including its oddities: it determines when
//! Airbyte disables a connection, so a plan has to know its verdict.

mod flatten;

use airbyte_protocol::StreamDescriptor;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{StreamConfig, StreamDef, SyncCatalog};
use crate::node::Node;
use flatten::{Fields, flatten};

/// Airbyte's `CatalogDiff`: serializes to the Config API's object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogDiff {
    /// The changes. Airbyte promises no order; here it is removed, added, updated.
    pub transforms: Vec<StreamTransform>,
}

/// The type of a stream's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamTransformType {
    /// The source has a new stream.
    AddStream,
    /// The source lost it.
    RemoveStream,
    /// Fields or attributes changed.
    UpdateStream,
}

/// A change of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamTransform {
    /// The type of change.
    pub transform_type: StreamTransformType,
    /// The changed stream.
    pub stream_descriptor: StreamDescriptor,
    /// The details of an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_stream: Option<UpdateStream>,
}

/// The details of an update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStream {
    /// Changed fields.
    pub field_transforms: Vec<FieldTransform>,
    /// Changed attributes: the primary key.
    pub stream_attribute_transforms: Vec<AttributeTransform>,
}

/// The type of a field's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldTransformType {
    /// The source has a new field.
    AddField,
    /// The source lost it.
    RemoveField,
    /// Its schema changed, or that of something within it.
    UpdateFieldSchema,
}

/// A changed field: exactly one of the last three members is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldTransform {
    /// The type of change.
    pub transform_type: FieldTransformType,
    /// Path of the field; array items are the component `items`.
    pub field_name: Vec<String>,
    /// Whether Airbyte disables the connection because of it.
    pub breaking: bool,
    /// Set for an added field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_field: Option<FieldSchema>,
    /// Set for a removed field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_field: Option<FieldSchema>,
    /// Set for an updated field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_field_schema: Option<SchemaUpdate>,
}

/// The schema of an added or removed field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldSchema {
    /// The field's complete schema.
    pub schema: Value,
}

/// The schemas of an updated field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaUpdate {
    /// Before.
    pub old_schema: Value,
    /// After.
    pub new_schema: Value,
}

/// The type of an attribute's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeTransformType {
    /// The source-defined key changed.
    UpdatePrimaryKey,
}

/// A changed attribute of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttributeTransform {
    /// The type of change.
    pub transform_type: AttributeTransformType,
    /// Whether Airbyte disables the connection because of it.
    pub breaking: bool,
    /// The keys.
    pub update_primary_key: KeyUpdate,
}

/// The source's key before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyUpdate {
    /// Before.
    #[serde(default)]
    pub old_primary_key: Vec<Vec<String>>,
    /// After.
    #[serde(default)]
    pub new_primary_key: Vec<Vec<String>>,
}

/// Airbyte's classification of a whole diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChange {
    /// Nothing changed.
    NoChange,
    /// There are changes, none of them breaking.
    NonBreaking,
    /// There are breaking changes: Airbyte disables the connection.
    Breaking,
}

impl CatalogDiff {
    /// Whether nothing changed, by Airbyte's rules.
    pub fn is_empty(&self) -> bool {
        self.transforms.is_empty()
    }

    /// Whether Airbyte disables the connection because of it.
    pub fn is_breaking(&self) -> bool {
        self.transforms
            .iter()
            .filter_map(|t| t.update_stream.as_ref())
            .any(UpdateStream::is_breaking)
    }

    /// Airbyte's classification.
    pub fn schema_change(&self) -> SchemaChange {
        if self.is_empty() {
            SchemaChange::NoChange
        } else if self.is_breaking() {
            SchemaChange::Breaking
        } else {
            SchemaChange::NonBreaking
        }
    }
}

impl UpdateStream {
    /// Whether Airbyte disables the connection because of it.
    pub fn is_breaking(&self) -> bool {
        self.field_transforms.iter().any(|t| t.breaking)
            || self.stream_attribute_transforms.iter().any(|t| t.breaking)
    }

    fn is_empty(&self) -> bool {
        self.field_transforms.is_empty() && self.stream_attribute_transforms.is_empty()
    }
}

/// Airbyte's diff from `old` to `new`, both as discovered, for a connection that syncs what is
/// selected in `configured`.
pub fn airbyte(old: &SyncCatalog, new: &SyncCatalog, configured: &SyncCatalog) -> CatalogDiff {
    let index = |catalog| -> IndexMap<StreamDescriptor, &StreamDef> { by_descriptor(catalog) };
    let (olds, news) = (index(old), index(new));
    let configs: IndexMap<StreamDescriptor, &StreamConfig> = configured
        .selected()
        .map(|s| (s.descriptor(), &s.config))
        .collect();
    let whole = |kind, descriptor: &StreamDescriptor| StreamTransform {
        transform_type: kind,
        stream_descriptor: descriptor.clone(),
        update_stream: None,
    };
    let removed = olds.keys().filter(|d| !news.contains_key(*d));
    let added = news.keys().filter(|d| !olds.contains_key(*d));
    let mut transforms: Vec<_> = removed
        .map(|d| whole(StreamTransformType::RemoveStream, d))
        .chain(added.map(|d| whole(StreamTransformType::AddStream, d)))
        .collect();
    for (descriptor, new) in &news {
        let (Some(old), Some(config)) = (olds.get(descriptor), configs.get(descriptor)) else {
            continue;
        };
        if let Some(update) = stream(old, new, config) {
            transforms.push(StreamTransform {
                transform_type: StreamTransformType::UpdateStream,
                stream_descriptor: descriptor.clone(),
                update_stream: Some(update),
            });
        }
    }
    CatalogDiff { transforms }
}

/// Airbyte's diff of one configured stream; `None` if it finds no change.
pub fn stream(old: &StreamDef, new: &StreamDef, config: &StreamConfig) -> Option<UpdateStream> {
    let mut update = UpdateStream::default();
    if !old.same_schema_text(new) {
        let (old, new) = (Node::of(&old.json_schema), Node::of(&new.json_schema));
        if old != new {
            update.field_transforms = fields(&flatten(&old), &flatten(&new), config);
        }
    }
    let (old_key, new_key) = (
        &old.source_defined_primary_key,
        &new.source_defined_primary_key,
    );
    if old_key != new_key {
        update.stream_attribute_transforms.push(AttributeTransform {
            transform_type: AttributeTransformType::UpdatePrimaryKey,
            breaking: !new_key.is_empty()
                && config.is_deduped()
                && !same_key(&config.primary_key, new_key),
            update_primary_key: KeyUpdate {
                old_primary_key: old_key.clone(),
                new_primary_key: new_key.clone(),
            },
        });
    }
    (!update.is_empty()).then_some(update)
}

/// Whether two keys have the same parts, in any order.
pub(crate) fn same_key(a: &[Vec<String>], b: &[Vec<String>]) -> bool {
    a.iter().all(|part| b.contains(part)) && b.iter().all(|part| a.contains(part))
}

fn fields(old: &Fields<'_>, new: &Fields<'_>, config: &StreamConfig) -> Vec<FieldTransform> {
    let transform = |kind, path: &[&str]| FieldTransform {
        transform_type: kind,
        field_name: path.iter().map(|part| (*part).to_owned()).collect(),
        breaking: false,
        add_field: None,
        remove_field: None,
        update_field_schema: None,
    };
    let mut transforms = Vec::new();
    for (path, field) in old.iter().filter(|(path, _)| !new.contains_key(*path)) {
        transforms.push(FieldTransform {
            breaking: (config.is_incremental() && config.cursor_field == **path)
                || (config.is_deduped() && config.primary_key.iter().any(|part| *part == **path)),
            remove_field: Some(FieldSchema {
                schema: field.to_value(),
            }),
            ..transform(FieldTransformType::RemoveField, path)
        });
    }
    for (path, field) in new {
        match old.get(path) {
            None => transforms.push(FieldTransform {
                add_field: Some(FieldSchema {
                    schema: field.to_value(),
                }),
                ..transform(FieldTransformType::AddField, path)
            }),
            Some(before) if before != field => transforms.push(FieldTransform {
                update_field_schema: Some(SchemaUpdate {
                    old_schema: before.to_value(),
                    new_schema: field.to_value(),
                }),
                ..transform(FieldTransformType::UpdateFieldSchema, path)
            }),
            Some(_) => {}
        }
    }
    transforms
}

fn by_descriptor(catalog: &SyncCatalog) -> IndexMap<StreamDescriptor, &StreamDef> {
    catalog
        .streams
        .iter()
        .map(|s| (s.descriptor(), &s.stream))
        .collect()
}
