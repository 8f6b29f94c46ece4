//! The stream object: the same members in the protocol and the Config API, spelled differently.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::{Form, entry_if};
use crate::model::SyncStream;

/// The spelling of member names.
#[derive(Clone, Copy)]
pub(super) enum Spelling {
    Camel,
    Snake,
}

/// A stream object with this schema.
pub(super) struct Definition<'a>(
    pub(super) &'a SyncStream,
    pub(super) &'a RawValue,
    pub(super) Spelling,
    pub(super) Form,
);

impl Serialize for Definition<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entry, schema, spelling, form) = *self;
        let stream = &entry.stream;
        let spelt = |camel, snake| match spelling {
            Spelling::Camel => camel,
            Spelling::Snake => snake,
        };
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("name", &stream.name)?;
        entry_if(&mut object, "namespace", &stream.namespace)?;
        object.serialize_entry(spelt("jsonSchema", "json_schema"), schema)?;
        object.serialize_entry(
            spelt("supportedSyncModes", "supported_sync_modes"),
            &stream.supported_sync_modes,
        )?;
        let own = spelt("sourceDefinedCursor", "source_defined_cursor");
        entry_if(&mut object, own, &stream.source_defined_cursor)?;
        object.serialize_entry(
            spelt("defaultCursorField", "default_cursor_field"),
            &stream.default_cursor_field,
        )?;
        object.serialize_entry(
            spelt("sourceDefinedPrimaryKey", "source_defined_primary_key"),
            &stream.source_defined_primary_key,
        )?;
        let resumable = spelt("isResumable", "is_resumable");
        entry_if(&mut object, resumable, &stream.is_resumable)?;
        let files = spelt("isFileBased", "is_file_based");
        entry_if(&mut object, files, &stream.is_file_based)?;
        form.extra(&mut object, &stream.extra)?;
        object.end()
    }
}
