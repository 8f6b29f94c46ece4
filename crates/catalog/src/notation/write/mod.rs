//! Writes catalogs: for Airbyte (documented members only), for the registry (everything), and in
//! any notation for conversions.

pub(super) mod public;
mod stream;

use airbyte_protocol::DestinationSyncMode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::Notation;
use crate::model::{Extra, SyncCatalog, SyncStream};
use public::{PublicEntry, PublicStream};
use stream::{Definition, Spelling};

impl SyncCatalog {
    /// The form sent to Airbyte's Config API: its documented members only, always including
    /// `selected`.
    pub fn to_config_api(&self) -> String {
        json(self, Notation::ConfigApi, false)
    }

    /// The form stored in the registry: as for Airbyte, plus the unknown members.
    pub fn to_document(&self) -> String {
        json(self, Notation::ConfigApi, true)
    }

    /// The selected streams in the protocol's notation (`ConfiguredAirbyteCatalog`), each schema
    /// narrowed to its selected columns.
    pub fn to_protocol_configured(&self) -> String {
        json(self, Notation::Configured, false)
    }

    /// The selected streams in the public API's form for create and update.
    pub fn to_public_streams(&self) -> Vec<PublicStream> {
        self.selected().map(PublicStream::to_send).collect()
    }
}

/// The registry's document.
impl Serialize for SyncCatalog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (notation, unknown) = (Notation::ConfigApi, true);
        let form = Form { notation, unknown };
        Root(self, form).serialize(serializer)
    }
}

/// The catalog in a notation, with or without the members unknown to AAM.
pub(super) fn json(catalog: &SyncCatalog, notation: Notation, unknown: bool) -> String {
    let form = Form { notation, unknown };
    serde_json::to_string(&Root(catalog, form))
        .expect("texts, numbers, lists and valid raw JSON always serialize")
}

#[derive(Clone, Copy)]
struct Form {
    notation: Notation,
    unknown: bool,
}

impl Form {
    fn extra<S: SerializeMap>(self, object: &mut S, extra: &Extra) -> Result<(), S::Error> {
        if self.unknown {
            for (name, value) in &extra.0 {
                let value: &RawValue = value;
                object.serialize_entry(name, value)?;
            }
        }
        Ok(())
    }
}

struct Root<'a>(&'a SyncCatalog, Form);

struct List<'a>(&'a SyncCatalog, Form);

struct Entry<'a>(&'a SyncStream, Form);

impl Serialize for Root<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(catalog, form) = *self;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("streams", &List(catalog, form))?;
        form.extra(&mut object, &catalog.extra)?;
        object.end()
    }
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(catalog, form) = *self;
        let only_selected = matches!(form.notation, Notation::Configured | Notation::Public);
        let listed = catalog.streams.iter();
        let listed = listed.filter(|entry| entry.config.selected || !only_selected);
        serializer.collect_seq(listed.map(|entry| Entry(entry, form)))
    }
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entry, form) = *self;
        match form.notation {
            Notation::Protocol => {
                let schema = &entry.stream.json_schema;
                Definition(entry, schema, Spelling::Snake, form).serialize(serializer)
            }
            Notation::Configured => configured(entry, form, serializer),
            Notation::ConfigApi => {
                let schema = &entry.stream.json_schema;
                let definition = Definition(entry, schema, Spelling::Camel, form);
                let mut object = serializer.serialize_map(None)?;
                object.serialize_entry("stream", &definition)?;
                object.serialize_entry("config", &Configuration(entry, form))?;
                form.extra(&mut object, &entry.config.beside)?;
                object.end()
            }
            Notation::Public => {
                let extra = form.unknown.then_some(&entry.config.extra);
                PublicEntry::of(entry, extra).serialize(serializer)
            }
        }
    }
}

fn configured<S: Serializer>(
    entry: &SyncStream,
    form: Form,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let config = &entry.config;
    let schema = entry.narrowed_schema();
    let write = match config.destination_sync_mode {
        // The protocol lacks it: a connector that receives it fails.
        DestinationSyncMode::OverwriteDedup => DestinationSyncMode::Overwrite,
        other => other,
    };
    let mut object = serializer.serialize_map(None)?;
    let definition = Definition(entry, &schema, Spelling::Snake, form);
    object.serialize_entry("stream", &definition)?;
    object.serialize_entry("sync_mode", &config.sync_mode)?;
    object.serialize_entry("destination_sync_mode", &write)?;
    object.serialize_entry("cursor_field", &config.cursor_field)?;
    object.serialize_entry("primary_key", &config.primary_key)?;
    let o = &mut object;
    entry_if(o, "generation_id", &config.generation_id)?;
    entry_if(o, "minimum_generation_id", &config.minimum_generation_id)?;
    entry_if(o, "sync_id", &config.sync_id)?;
    let target = &config.destination_object_name;
    entry_if(o, "destination_object_name", target)?;
    entry_if(o, "include_files", &config.include_files)?;
    form.extra(o, &config.extra)?;
    object.end()
}

struct Configuration<'a>(&'a SyncStream, Form);

impl Serialize for Configuration<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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
        let o = &mut object;
        entry_if(o, "aliasName", &config.alias_name)?;
        entry_if(o, "suggested", &config.suggested)?;
        entry_if(o, "namespace", &config.namespace)?;
        let target = &config.destination_object_name;
        entry_if(o, "destinationObjectName", target)?;
        entry_if(o, "includeFiles", &config.include_files)?;
        entry_if(o, "minimumGenerationId", &config.minimum_generation_id)?;
        entry_if(o, "generationId", &config.generation_id)?;
        entry_if(o, "syncId", &config.sync_id)?;
        form.extra(o, &config.extra)?;
        object.end()
    }
}

struct Field<'a>(&'a [String]);

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry("fieldPath", self.0)?;
        object.end()
    }
}

fn fields(paths: &[Vec<String>]) -> Vec<Field<'_>> {
    paths.iter().map(|path| Field(path)).collect()
}

fn entry_if<S: SerializeMap, T: Serialize>(
    object: &mut S,
    name: &str,
    value: &Option<T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => object.serialize_entry(name, value),
        None => Ok(()),
    }
}
