//! Parses an entry of `streams`, member by member: either spelling of each name, null as absent,
//! and a fault for each invalid member.

use airbyte_protocol::SyncMode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::root::{Listed, Shape};
use super::{Entry, Flat, Settings};
use crate::fault::Fault;
use crate::intern::{self, Interner};
use crate::model::{Extra, StreamConfig};
use crate::node::Members;
use crate::notation::Notation;

/// Removes and returns the member with either name, unless it is null.
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

/// Parses one entry, adding to the faults.
pub(super) struct Reader<'f> {
    pub(super) faults: &'f mut Vec<Fault>,
    pub(super) interner: &'f mut Interner,
    pub(super) flat: Flat,
    pub(super) path: String,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, member: &str, message: &str) {
        self.faults
            .push(Fault::new(format!("{}{member}", self.path), message));
    }

    pub(super) fn entry(&mut self, listed: Shape<Listed<'_>>) -> Option<Entry> {
        let Shape::Object(listed) = listed else {
            self.fault("", "the stream is not an object");
            return None;
        };
        let mut outer = listed.others;
        let Some(stream) = listed.stream else {
            let has = |wanted: &str| outer.0.iter().any(|(name, _)| name == wanted);
            if !has("name") {
                self.fault(".stream", "the stream has no name");
                return None;
            }
            let schema = has("json_schema") || has("jsonSchema");
            if self.flat == Flat::Public || (self.flat == Flat::BySchema && !schema) {
                return self.public(outer);
            }
            return self.stream(outer, "", Notation::Protocol, Settings::default());
        };
        let Shape::Object(inner) = stream else {
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
        settings.rest.beside = self.extra(outer, "");
        self.stream(inner, ".stream", Notation::ConfigApi, settings)
    }

    /// The name, which every stream requires.
    pub(super) fn name(&mut self, members: &mut Members<'_>, at: &str) -> Option<String> {
        let name = self.plain::<String>(members, at, "name", "name", "a text");
        let name = name.filter(|name| !name.is_empty());
        if name.is_none() {
            self.fault(&format!("{at}.name"), "the stream has no name");
        }
        name
    }

    fn stream(
        &mut self,
        mut members: Members<'_>,
        at: &str,
        notation: Notation,
        settings: Settings,
    ) -> Option<Entry> {
        let m = &mut members;
        let name = self.name(m, at);
        let namespace = self.plain(m, at, "namespace", "namespace", "a text");
        let json_schema = take(m, "jsonSchema", "json_schema").and_then(|raw| {
            let schema = if raw.get().starts_with('{') {
                self.interner.schema(raw)
            } else {
                Err("is not an object".to_owned())
            };
            if let Err(flaw) = &schema {
                self.fault(&format!("{at}.json_schema"), &format!("json_schema {flaw}"));
            }
            schema.ok()
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
            extra: self.extra(members, at),
            settings,
        };
        name.map(|_| entry)
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
            mappers: self.mappers(m, at),
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
                extra: self.extra(members, at),
                ..StreamConfig::default()
            },
        }
    }

    pub(super) fn plain<T: DeserializeOwned>(
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

    pub(super) fn paths<T: DeserializeOwned>(
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

    /// A list of `{fieldPath: [..]}`; also accepts a list of bare paths.
    pub(super) fn fields(
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

    pub(super) fn mappers(&mut self, members: &mut Members<'_>, at: &str) -> Option<Vec<Value>> {
        let raw = take(members, "mappers", "mappers")?;
        let message = match intern::value(raw) {
            Ok(Value::Array(mappers)) => return Some(mappers),
            Ok(_) => "is not a list".to_owned(),
            Err(flaw) => flaw,
        };
        self.fault(&format!("{at}.mappers"), &format!("mappers {message}"));
        None
    }

    /// The remaining members, which are unknown.
    pub(super) fn extra(&mut self, members: Members<'_>, at: &str) -> Extra {
        let mut extra = Extra::default();
        for (name, raw) in members.0 {
            match intern::flaw(raw.get()) {
                None => {
                    extra.0.insert(name.into_owned(), raw.to_owned().into());
                }
                Some(flaw) => self.fault(&format!("{at}.{name}"), &format!("{name} {flaw}")),
            }
        }
        extra
    }
}
