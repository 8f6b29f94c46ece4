//! Carries a rename over to the connection's settings for a stream: cursor, key, selection, and the
//! name at the destination.

use serde_json::{Value, json};

use crate::drift::Change;
use crate::model::StreamConfig;

const RENAMING: &str = "field-renaming";

/// Updates everything that refers to the field.
pub(super) fn carry(config: &mut StreamConfig, change: &Change, mappers: bool) {
    let (from, Some(to)) = (&change.path, &change.to_path) else {
        return;
    };
    for path in paths(config) {
        if path.starts_with(from) {
            let rest = path[from.len()..].to_vec();
            *path = to.clone();
            path.extend(rest);
        }
    }
    // Airbyte's mappers only support top-level columns.
    if let ([old], [new]) = (from.as_slice(), to.as_slice()) {
        if mappers {
            keep_name_downstream(&mut config.mappers.0, old, new);
        } else {
            follow(&mut config.mappers.0, old, new);
        }
    }
}

/// All paths in the settings.
fn paths(config: &mut StreamConfig) -> impl Iterator<Item = &mut Vec<String>> {
    std::iter::once(&mut config.cursor_field)
        .chain(&mut config.primary_key)
        .chain(config.selected_fields.iter_mut().flatten())
        .chain(config.hashed_fields.iter_mut().flatten())
}

/// A mapper before all others restores the field's old name, so that the others and the destination
/// find what they expect. An existing one is updated to the new name, and is removed when the field
/// returns to the name that it produces.
fn keep_name_downstream(mappers: &mut Vec<Value>, old: &str, new: &str) {
    let renames_old = |mapper: &Value| {
        mapper["type"] == RENAMING && mapper["mapperConfiguration"]["originalFieldName"] == *old
    };
    match mappers.first_mut().filter(|mapper| renames_old(mapper)) {
        Some(first) if first["mapperConfiguration"]["newFieldName"] == *new => {
            mappers.remove(0);
        }
        Some(first) => first["mapperConfiguration"]["originalFieldName"] = json!(new),
        None => mappers.insert(
            0,
            json!({
                "type": RENAMING,
                "mapperConfiguration": {"originalFieldName": new, "newFieldName": old},
            }),
        ),
    }
}

/// Updates mappers that refer to the field to its new name.
fn follow(mappers: &mut [Value], old: &str, new: &str) {
    for mapper in mappers {
        let configuration = &mut mapper["mapperConfiguration"];
        for member in ["targetField", "originalFieldName"] {
            if configuration[member] == *old {
                configuration[member] = json!(new);
            }
        }
        if let Some(condition) = configuration.get_mut("conditions") {
            follow_condition(condition, old, new);
        }
    }
}

fn follow_condition(condition: &mut Value, old: &str, new: &str) {
    match condition {
        Value::Array(conditions) => {
            for condition in conditions {
                follow_condition(condition, old, new);
            }
        }
        Value::Object(members) => {
            if members.get("fieldName").is_some_and(|name| *name == *old) {
                members.insert("fieldName".to_owned(), json!(new));
            }
            if let Some(inner) = members.get_mut("conditions") {
                follow_condition(inner, old, new);
            }
        }
        _ => {}
    }
}
