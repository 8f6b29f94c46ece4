//! Writing catalogs: for Airbyte (documented members only), for the registry (everything), for
//! connectors and files (the protocol's notation), for the public API.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use serde::ser::{SerializeSeq, SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{Extra, SyncCatalog, SyncStream};

/// A stream as the public API configures it: an element of `configurations.streams`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicStream {
    /// The stream's name.
    pub name: String,
    /// The stream's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Both modes in one word; absent for pairs that the public API has no word for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_mode: Option<String>,
    /// Path of the cursor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursor_field: Vec<String>,
    /// Paths of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<Vec<String>>,
    /// The columns that are copied; Airbyte refuses an empty list, so absent means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected_fields: Vec<PublicField>,
    /// Transformations of the records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mappers: Vec<serde_json::Value>,
    /// Whether files are copied as well.
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

/// The public API's one word for a pair of modes; absent where it has none.
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

/// The pair of modes that the public API's one word stands for.
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

impl SyncCatalog {
    /// What is sent to Airbyte's Config API: its documented members and no other, `selected`
    /// always among them.
    pub fn to_config_api(&self) -> String {
        json(&Streams(self, Form::Airbyte))
    }

    /// What the registry stores: as for Airbyte, with the unknown members.
    pub fn to_document(&self) -> String {
        json(&Streams(self, Form::Document))
    }

    /// The selected streams in the protocol's notation (`ConfiguredAirbyteCatalog`), each schema
    /// narrowed to its selected columns.
    pub fn to_protocol_configured(&self) -> String {
        json(&Streams(self, Form::Protocol))
    }

    /// The selected streams as the public API takes them on create and update.
    pub fn to_public_streams(&self) -> Vec<PublicStream> {
        self.selected().map(public).collect()
    }
}

/// The registry's document.
impl Serialize for SyncCatalog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Streams(self, Form::Document).serialize(serializer)
    }
}

fn public(entry: &SyncStream) -> PublicStream {
    let config = &entry.config;
    let fields = config.selected_fields.clone().unwrap_or_default();
    // Airbyte refuses a cursor or key that differs from a source-defined one, and needs none.
    let own_cursor = config.is_incremental() && entry.stream.source_defined_cursor != Some(true);
    let own_key = config.needs_key() && entry.stream.source_defined_primary_key.is_empty();
    PublicStream {
        name: entry.stream.name.clone(),
        namespace: entry.stream.namespace.clone(),
        sync_mode: combined_mode(config.sync_mode, config.destination_sync_mode).map(str::to_owned),
        cursor_field: if own_cursor {
            config.cursor_field.clone()
        } else {
            Vec::new()
        },
        primary_key: if own_key {
            config.primary_key.clone()
        } else {
            Vec::new()
        },
        selected_fields: fields
            .into_iter()
            .map(|field_path| PublicField { field_path })
            .collect(),
        mappers: config.mappers.0.clone(),
        include_files: config.include_files,
        destination_object_name: config.destination_object_name.clone(),
    }
}

fn json(streams: &Streams<'_>) -> String {
    serde_json::to_string(streams)
        .expect("texts, numbers, lists and valid raw JSON always serialize")
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Airbyte,
    Document,
    Protocol,
}

struct Streams<'a>(&'a SyncCatalog, Form);

struct Entry<'a>(&'a SyncStream, Form);

struct Definition<'a>(&'a SyncStream, Form);

struct Configuration<'a>(&'a SyncStream, Form);

struct Field<'a>(&'a [String]);

impl Serialize for Streams<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct List<'a>(&'a SyncCatalog, Form);
        impl Serialize for List<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(None)?;
                for entry in &self.0.streams {
                    if self.1 != Form::Protocol || entry.config.selected {
                        list.serialize_element(&Entry(entry, self.1))?;
                    }
                }
                list.end()
            }
        }
        let mut object = serializer.serialize_struct("catalog", 1)?;
        object.serialize_field("streams", &List(self.0, self.1))?;
        object.end()
    }
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entry, form) = *self;
        if form != Form::Protocol {
            let mut object = serializer.serialize_struct("entry", 2)?;
            object.serialize_field("stream", &Definition(entry, form))?;
            object.serialize_field("config", &Configuration(entry, form))?;
            return object.end();
        }
        let config = &entry.config;
        let mut object = serializer.serialize_struct("entry", 8)?;
        object.serialize_field("stream", &Definition(entry, form))?;
        object.serialize_field("sync_mode", &config.sync_mode)?;
        object.serialize_field("destination_sync_mode", &config.destination_sync_mode)?;
        object.serialize_field("cursor_field", &config.cursor_field)?;
        object.serialize_field("primary_key", &config.primary_key)?;
        field(&mut object, "generation_id", &config.generation_id)?;
        field(
            &mut object,
            "minimum_generation_id",
            &config.minimum_generation_id,
        )?;
        field(&mut object, "sync_id", &config.sync_id)?;
        object.end()
    }
}

impl Serialize for Definition<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let Self(entry, form) = *self;
        let stream = &entry.stream;
        let names: [&'static str; 7] = if form == Form::Protocol {
            [
                "json_schema",
                "supported_sync_modes",
                "source_defined_cursor",
                "default_cursor_field",
                "source_defined_primary_key",
                "is_resumable",
                "is_file_based",
            ]
        } else {
            [
                "jsonSchema",
                "supportedSyncModes",
                "sourceDefinedCursor",
                "defaultCursorField",
                "sourceDefinedPrimaryKey",
                "isResumable",
                "isFileBased",
            ]
        };
        let narrowed = (form == Form::Protocol).then(|| entry.narrowed_schema());
        let schema: &RawValue = narrowed.as_deref().unwrap_or(&stream.json_schema);
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("name", &stream.name)?;
        if let Some(namespace) = &stream.namespace {
            object.serialize_entry("namespace", namespace)?;
        }
        object.serialize_entry(names[0], schema)?;
        object.serialize_entry(names[1], &stream.supported_sync_modes)?;
        if let Some(defined) = stream.source_defined_cursor {
            object.serialize_entry(names[2], &defined)?;
        }
        object.serialize_entry(names[3], &stream.default_cursor_field)?;
        object.serialize_entry(names[4], &stream.source_defined_primary_key)?;
        if let Some(resumable) = stream.is_resumable {
            object.serialize_entry(names[5], &resumable)?;
        }
        if let Some(files) = stream.is_file_based {
            object.serialize_entry(names[6], &files)?;
        }
        unknown(&mut object, &stream.extra, form)?;
        object.end()
    }
}

impl Serialize for Configuration<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let Self(entry, form) = *self;
        let config = &entry.config;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("syncMode", &config.sync_mode)?;
        object.serialize_entry("destinationSyncMode", &config.destination_sync_mode)?;
        object.serialize_entry("cursorField", &config.cursor_field)?;
        object.serialize_entry("primaryKey", &config.primary_key)?;
        object.serialize_entry("selected", &config.selected)?;
        object.serialize_entry("fieldSelectionEnabled", &config.selected_fields.is_some())?;
        if let Some(selected) = &config.selected_fields {
            object.serialize_entry("selectedFields", &fields(selected))?;
        }
        if let Some(hashed) = &config.hashed_fields {
            object.serialize_entry("hashedFields", &fields(hashed))?;
        }
        if !config.mappers.0.is_empty() {
            object.serialize_entry("mappers", &config.mappers.0)?;
        }
        entry_if(&mut object, "aliasName", &config.alias_name)?;
        entry_if(&mut object, "suggested", &config.suggested)?;
        entry_if(&mut object, "namespace", &config.namespace)?;
        entry_if(
            &mut object,
            "destinationObjectName",
            &config.destination_object_name,
        )?;
        entry_if(&mut object, "includeFiles", &config.include_files)?;
        entry_if(
            &mut object,
            "minimumGenerationId",
            &config.minimum_generation_id,
        )?;
        entry_if(&mut object, "generationId", &config.generation_id)?;
        entry_if(&mut object, "syncId", &config.sync_id)?;
        unknown(&mut object, &config.extra, form)?;
        object.end()
    }
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("field", 1)?;
        object.serialize_field("fieldPath", self.0)?;
        object.end()
    }
}

fn fields(paths: &[Vec<String>]) -> Vec<Field<'_>> {
    paths.iter().map(|path| Field(path)).collect()
}

fn field<S: SerializeStruct, T: Serialize>(
    object: &mut S,
    name: &'static str,
    value: &Option<T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => object.serialize_field(name, value),
        None => object.skip_field(name),
    }
}

fn entry_if<S: serde::ser::SerializeMap, T: Serialize>(
    object: &mut S,
    name: &str,
    value: &Option<T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => object.serialize_entry(name, value),
        None => Ok(()),
    }
}

fn unknown<S: serde::ser::SerializeMap>(
    object: &mut S,
    extra: &Extra,
    form: Form,
) -> Result<(), S::Error> {
    if form == Form::Document {
        for (name, value) in extra {
            object.serialize_entry(name, value)?;
        }
    }
    Ok(())
}
