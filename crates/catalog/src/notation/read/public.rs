//! An entry of the public API's `configurations.streams`: only settings, with both modes in one
//! word.

use serde_json::value::RawValue;

use super::entry::{Reader, take};
use super::{Entry, Settings};
use crate::model::{Extra, StreamConfig};
use crate::node::Members;
use crate::notation::{Notation, split_mode};

impl Reader<'_> {
    pub(super) fn public(&mut self, mut members: Members<'_>) -> Option<Entry> {
        let m = &mut members;
        let name = self.name(m, "");
        let namespace = self.plain(m, "", "namespace", "namespace", "a text");
        let mode = take(m, "syncMode", "sync_mode").and_then(|raw| self.word(raw));
        let settings = Settings {
            sync_mode: mode.map(|(read, _)| read),
            destination_sync_mode: mode.map(|(_, write)| write),
            cursor_field: self.paths(m, "", "cursorField", "cursor_field"),
            primary_key: self.paths(m, "", "primaryKey", "primary_key"),
            selected: Some(true),
            selected_fields: self.fields(m, "", "selectedFields", "selected_fields"),
            mappers: self.mappers(m, ""),
            rest: StreamConfig {
                destination_object_name: self.plain(
                    m,
                    "",
                    "destinationObjectName",
                    "destination_object_name",
                    "a text",
                ),
                include_files: self.plain(m, "", "includeFiles", "include_files", "true or false"),
                extra: self.extra(members, ""),
                ..StreamConfig::default()
            },
            ..Settings::default()
        };
        Some(Entry {
            path: self.path.clone(),
            notation: Notation::Public,
            name: name?,
            namespace,
            json_schema: None,
            supported_sync_modes: None,
            source_defined_cursor: None,
            default_cursor_field: None,
            source_defined_primary_key: None,
            is_resumable: None,
            is_file_based: None,
            extra: Extra::default(),
            settings,
        })
    }

    fn word(
        &mut self,
        raw: &RawValue,
    ) -> Option<(
        airbyte_protocol::SyncMode,
        airbyte_protocol::DestinationSyncMode,
    )> {
        let word = serde_json::from_str::<String>(raw.get()).ok();
        let modes = word.as_deref().and_then(split_mode);
        if modes.is_none() {
            self.fault(".sync_mode", &format!("unknown mode {}", raw.get()));
        }
        modes
    }
}
