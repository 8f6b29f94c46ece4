//! What each notation can express, stated independently of the crate.

use std::collections::BTreeSet;

use catalog::modes::suggested;
use catalog::notation::{Document, Loss, Notation};
use catalog::{Extra, StreamConfig, SyncCatalog, SyncStream, combined_mode, split_mode};
use serde_json::{Map, Value, json};

pub(super) fn read(text: &str, notation: Notation) -> SyncCatalog {
    Document::read(text, Some(notation)).unwrap().catalog
}

/// The part of a catalog that a notation can express.
pub(super) fn carried(catalog: &SyncCatalog, from: Notation, to: Notation) -> SyncCatalog {
    let mut catalog = catalog.clone();
    if from != to {
        catalog.extra = Extra::default();
        for entry in &mut catalog.streams {
            entry.stream.extra = Extra::default();
            entry.config.extra = Extra::default();
            entry.config.beside = Extra::default();
        }
    }
    if to != Notation::ConfigApi && to != Notation::Protocol {
        catalog.streams.retain(|entry| entry.config.selected);
    }
    for entry in &mut catalog.streams {
        *entry = carried_stream(entry, to);
    }
    catalog
}

fn carried_stream(entry: &SyncStream, to: Notation) -> SyncStream {
    use airbyte_protocol::DestinationSyncMode::{Overwrite, OverwriteDedup};
    let SyncStream { mut stream, config } = entry.clone();
    let bare = StreamConfig {
        cursor_field: config.cursor_field.clone(),
        primary_key: config.primary_key.clone(),
        destination_object_name: config.destination_object_name.clone(),
        include_files: config.include_files,
        selected: true,
        extra: config.extra.clone(),
        beside: config.beside.clone(),
        ..StreamConfig::default()
    };
    let config = match to {
        Notation::ConfigApi => config,
        Notation::Protocol => {
            let (sync_mode, destination_sync_mode) = suggested(&stream);
            StreamConfig {
                sync_mode,
                destination_sync_mode,
                cursor_field: stream.default_cursor_field.clone(),
                primary_key: stream.source_defined_primary_key.clone(),
                ..StreamConfig::default()
            }
        }
        Notation::Configured => {
            stream.json_schema = entry.narrowed_schema();
            let write = config.destination_sync_mode;
            StreamConfig {
                sync_mode: config.sync_mode,
                destination_sync_mode: if write == OverwriteDedup {
                    Overwrite
                } else {
                    write
                },
                generation_id: config.generation_id,
                minimum_generation_id: config.minimum_generation_id,
                sync_id: config.sync_id,
                ..bare
            }
        }
        Notation::Public => {
            let nameless = json!({ "streams": [{ "name": stream.name, "namespace": stream.namespace, "json_schema": {} }] });
            let extra = stream.extra;
            stream = read(&nameless.to_string(), Notation::Protocol)
                .streams
                .remove(0)
                .stream;
            stream.extra = extra;
            let word = combined_mode(config.sync_mode, config.destination_sync_mode);
            let (sync_mode, destination_sync_mode) =
                split_mode(word.unwrap_or("full_refresh_overwrite")).unwrap();
            StreamConfig {
                sync_mode,
                destination_sync_mode,
                selected_fields: config.selected_fields.filter(|fields| !fields.is_empty()),
                mappers: config.mappers,
                ..bare
            }
        }
    };
    SyncStream { stream, config }
}

/// The members that differ between two catalogs, as `s1 config.mappers`, from the complete output
/// of both.
pub(super) fn differing(before: &SyncCatalog, after: &SyncCatalog) -> BTreeSet<String> {
    let whole =
        |catalog: &SyncCatalog| -> Value { serde_json::from_str(&catalog.to_document()).unwrap() };
    let (before, after) = (whole(before), whole(after));
    let mut found = BTreeSet::new();
    let mut differ = |at: &str, before: &Value, after: &Value| {
        let empty = Map::new();
        let (before, after) = (
            before.as_object().unwrap_or(&empty),
            after.as_object().unwrap_or(&empty),
        );
        for name in before.keys().chain(after.keys()) {
            let nested = ["streams", "stream", "config"].contains(&name.as_str());
            if !nested && before.get(name) != after.get(name) {
                found.insert(format!("{at}{}", snake(name)));
            }
        }
    };
    differ(" ", &before, &after);
    let streams = |catalog: &Value| catalog["streams"].as_array().unwrap().clone();
    let kept = streams(&after);
    let mut gone = Vec::new();
    for before in streams(&before) {
        let name = before["stream"]["name"].as_str().unwrap().to_owned();
        match kept
            .iter()
            .find(|after| after["stream"]["name"] == name.as_str())
        {
            None => gone.push(format!("{name} stream")),
            Some(after) => {
                differ(&format!("{name} "), &before, after);
                for part in ["stream", "config"] {
                    differ(&format!("{name} {part}."), &before[part], &after[part]);
                }
            }
        }
    }
    found.extend(gone);
    // One fact of the model that has two members in the notation.
    let is_switch = |line: &String| line.ends_with(".field_selection_enabled");
    found.into_iter().filter(|line| !is_switch(line)).collect()
}

/// The protocol's spelling of a known member.
fn snake(name: &str) -> String {
    if name == "futureMember" {
        return name.to_owned();
    }
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

pub(super) fn named(lost: &[Loss]) -> BTreeSet<String> {
    let line = |loss: &Loss| {
        let stream = loss.stream.as_ref().map_or("", |stream| &stream.name);
        format!("{stream} {}", loss.member)
    };
    lost.iter().map(line).collect()
}
