//! One entry of `streams`, member by member: either spelling of each name, null for absent, and a
//! fault for whatever is not what it should be.

use std::sync::Arc;

use airbyte_protocol::SyncMode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Entry, Notation, Settings};
use crate::fault::Fault;
use crate::model::{Extra, StreamConfig};
use crate::node::Members;

/// Removes the member of either name and returns it, unless it is null.
pub(super) fn take<'a>(
    members: &mut Members<'a>,
    camel: &str,
    snake: &str,
) -> Option<&'a RawValue> {
    let mut found = None;
    members.0.retain(|(name, value)| {
        let this = name == camel || name == snake;
        if this && value.get() != "null" {
            found.get_or_insert(*value);
        }
        !this
    });
    found
}

/// Reads one entry, adding to the faults.
pub(super) struct Reader<'f> {
    pub(super) faults: &'f mut Vec<Fault>,
    pub(super) path: String,
}

impl Reader<'_> {
    fn fault(&mut self, member: &str, message: &str) {
        self.faults
            .push(Fault::new(format!("{}{member}", self.path), message));
    }

    pub(super) fn entry(&mut self, raw: &RawValue) -> Option<Entry> {
        let Ok(mut outer) = serde_json::from_str::<Members<'_>>(raw.get()) else {
            self.fault("", "the stream is not an object");
            return None;
        };
        let Some(stream) = take(&mut outer, "stream", "stream") else {
            if !outer.0.iter().any(|(name, _)| name == "name") {
                self.fault(".stream", "the stream has no name");
                return None;
            }
            return self.stream(outer, "", Notation::Discovered, Settings::default());
        };
        let Ok(inner) = serde_json::from_str::<Members<'_>>(stream.get()) else {
            self.fault(".stream", "stream is not an object");
            return None;
        };
        let Some(config) = take(&mut outer, "config", "config") else {
            let settings = self.settings(outer, "");
            return self.stream(inner, ".stream", Notation::Configured, settings);
        };
        let Ok(config) = serde_json::from_str::<Members<'_>>(config.get()) else {
            self.fault(".config", "config is not an object");
            return None;
        };
        let mut settings = self.settings(config, ".config");
        settings.rest.extra.extend(extra(outer));
        self.stream(inner, ".stream", Notation::ConfigApi, settings)
    }

    fn stream(
        &mut self,
        mut members: Members<'_>,
        at: &str,
        notation: Notation,
        settings: Settings,
    ) -> Option<Entry> {
        let m = &mut members;
        let name = self.plain::<String>(m, at, "name", "name", "a text");
        let namespace = self.plain(m, at, "namespace", "namespace", "a text");
        let json_schema = take(m, "jsonSchema", "json_schema").and_then(|raw| {
            if raw.get().starts_with('{') {
                return Some(Arc::from(raw.to_owned()));
            }
            self.fault(&format!("{at}.json_schema"), "json_schema is not an object");
            None
        });
        let entry = Entry {
            path: self.path.clone(),
            notation,
            name: name.clone().unwrap_or_default(),
            namespace,
            json_schema,
            supported_sync_modes: self.supported_modes(m, at),
            source_defined_cursor: self.plain(
                m,
                at,
                "sourceDefinedCursor",
                "source_defined_cursor",
                "true or false",
            ),
            default_cursor_field: self.paths(m, at, "defaultCursorField", "default_cursor_field"),
            source_defined_primary_key: self.paths(
                m,
                at,
                "sourceDefinedPrimaryKey",
                "source_defined_primary_key",
            ),
            is_resumable: self.plain(m, at, "isResumable", "is_resumable", "true or false"),
            is_file_based: self.plain(m, at, "isFileBased", "is_file_based", "true or false"),
            extra: extra(members),
            settings,
        };
        match name {
            Some(name) if !name.is_empty() => Some(entry),
            _ => {
                self.fault(&format!("{at}.name"), "the stream has no name");
                None
            }
        }
    }

    fn settings(&mut self, mut members: Members<'_>, at: &str) -> Settings {
        let m = &mut members;
        let switch = "true or false";
        Settings {
            sync_mode: self.mode(m, at, "syncMode", "sync_mode"),
            destination_sync_mode: self.mode(m, at, "destinationSyncMode", "destination_sync_mode"),
            cursor_field: self.paths(m, at, "cursorField", "cursor_field"),
            primary_key: self.paths(m, at, "primaryKey", "primary_key"),
            selected: self.plain(m, at, "selected", "selected", switch),
            field_selection_enabled: self.plain(
                m,
                at,
                "fieldSelectionEnabled",
                "field_selection_enabled",
                switch,
            ),
            selected_fields: self.fields(m, at, "selectedFields", "selected_fields"),
            hashed_fields: self.fields(m, at, "hashedFields", "hashed_fields"),
            mappers: self.plain(m, at, "mappers", "mappers", "a list"),
            rest: StreamConfig {
                suggested: self.plain(m, at, "suggested", "suggested", switch),
                alias_name: self.plain(m, at, "aliasName", "alias_name", "a text"),
                namespace: self.plain(m, at, "namespace", "namespace", "a text"),
                destination_object_name: self.plain(
                    m,
                    at,
                    "destinationObjectName",
                    "destination_object_name",
                    "a text",
                ),
                include_files: self.plain(m, at, "includeFiles", "include_files", switch),
                minimum_generation_id: self.plain(
                    m,
                    at,
                    "minimumGenerationId",
                    "minimum_generation_id",
                    "an integer",
                ),
                generation_id: self.plain(m, at, "generationId", "generation_id", "an integer"),
                sync_id: self.plain(m, at, "syncId", "sync_id", "an integer"),
                extra: extra(members),
                ..StreamConfig::default()
            },
        }
    }

    fn plain<T: DeserializeOwned>(
        &mut self,
        members: &mut Members<'_>,
        at: &str,
        camel: &str,
        snake: &str,
        wanted: &str,
    ) -> Option<T> {
        let raw = take(members, camel, snake)?;
        match serde_json::from_str(raw.get()) {
            Ok(value) => Some(value),
            Err(_) => {
                self.fault(
                    &format!("{at}.{snake}"),
                    &format!("{snake} is not {wanted}"),
                );
                None
            }
        }
    }

    fn paths<T: DeserializeOwned>(
        &mut self,
        members: &mut Members<'_>,
        at: &str,
        camel: &str,
        snake: &str,
    ) -> Option<T> {
        let wanted = if snake.contains("key") {
            "a list of paths, each a list of texts"
        } else {
            "a path, a list of texts"
        };
        self.plain(members, at, camel, snake, wanted)
    }

    fn mode<T: DeserializeOwned>(
        &mut self,
        members: &mut Members<'_>,
        at: &str,
        camel: &str,
        snake: &str,
    ) -> Option<T> {
        let raw = take(members, camel, snake)?;
        match serde_json::from_str(raw.get()) {
            Ok(value) => Some(value),
            Err(_) => {
                self.fault(
                    &format!("{at}.{snake}"),
                    &format!("unknown mode {}", raw.get()),
                );
                None
            }
        }
    }

    fn supported_modes(&mut self, members: &mut Members<'_>, at: &str) -> Option<Vec<SyncMode>> {
        let raw = take(members, "supportedSyncModes", "supported_sync_modes")?;
        let Ok(listed) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
            self.fault(
                &format!("{at}.supported_sync_modes"),
                "supported_sync_modes is not a list",
            );
            return None;
        };
        let mut modes = Vec::with_capacity(listed.len());
        for (index, mode) in listed.into_iter().enumerate() {
            match serde_json::from_str(mode.get()) {
                Ok(mode) => modes.push(mode),
                Err(_) => self.fault(
                    &format!("{at}.supported_sync_modes[{index}]"),
                    &format!("unknown mode {}", mode.get()),
                ),
            }
        }
        Some(modes)
    }

    /// A list of `{fieldPath: [..]}`; a list of bare paths is understood too.
    fn fields(
        &mut self,
        members: &mut Members<'_>,
        at: &str,
        camel: &str,
        snake: &str,
    ) -> Option<Vec<Vec<String>>> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Field {
            Info {
                #[serde(alias = "field_path", rename = "fieldPath")]
                field_path: Vec<String>,
            },
            Path(Vec<String>),
        }
        let wanted = "a list of objects with a fieldPath, a list of texts";
        let fields: Vec<Field> = self.plain(members, at, camel, snake, wanted)?;
        let path = |field| match field {
            Field::Info { field_path } | Field::Path(field_path) => field_path,
        };
        Some(fields.into_iter().map(path).collect())
    }
}

fn extra(members: Members<'_>) -> Extra {
    let value = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or(Value::Null);
    members
        .0
        .into_iter()
        .map(|(name, raw)| (name.into_owned(), value(raw)))
        .collect()
}
