//! Finds the secrets in a configuration, and the texts that would reveal them.

use serde_json::Value;

/// Schemas may be recursive; configurations are never this deep.
const DEPTH_MAX: usize = 64;

/// JSON pointers to all values in `configuration` that `specification` marks `airbyte_secret`.
pub fn pointers(specification: &Value, configuration: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let at = String::new();
    collect(
        specification,
        specification,
        configuration,
        at,
        0,
        &mut found,
    );
    found.sort();
    found.dedup();
    found
}

fn collect(
    root: &Value,
    schema: &Value,
    value: &Value,
    pointer: String,
    depth: usize,
    found: &mut Vec<String>,
) {
    if depth > DEPTH_MAX || value.is_null() {
        return;
    }
    if schema.get("airbyte_secret") == Some(&Value::Bool(true)) {
        found.push(pointer);
        return;
    }
    let mut descend = |schema: &Value, value: &Value, pointer: String| {
        collect(root, schema, value, pointer, depth + 1, found);
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str)
        && let Some(target) = target.strip_prefix('#').and_then(|at| root.pointer(at))
    {
        descend(target, value, pointer.clone());
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for branch in schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            descend(branch, value, pointer.clone());
        }
    }
    if let (Some(properties), Some(members)) = (
        schema.get("properties").and_then(Value::as_object),
        value.as_object(),
    ) {
        for (name, member) in members {
            if let Some(property) = properties.get(name) {
                descend(property, member, format!("{pointer}/{}", escaped(name)));
            }
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
        for (index, element) in elements.iter().enumerate() {
            descend(items, element, format!("{pointer}/{index}"));
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// All texts and numbers in a value, including those inside a text that is JSON.
pub(super) fn leaves(value: Option<&Value>, texts: &mut Vec<String>) {
    match value {
        Some(Value::String(text)) => {
            texts.push(text.clone());
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                inner_leaves(&inner, texts);
            }
        }
        Some(Value::Number(number)) => texts.push(number.to_string()),
        Some(Value::Array(items)) => items.iter().for_each(|item| leaves(Some(item), texts)),
        Some(Value::Object(members)) => members
            .values()
            .for_each(|member| leaves(Some(member), texts)),
        _ => {}
    }
}

/// Texts within a JSON document that is secret as a whole. Short ones are words, not secrets.
const INNER_LEN_MIN: usize = 8;

fn inner_leaves(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= INNER_LEN_MIN => leaves(Some(value), texts),
        Value::Array(items) => items.iter().for_each(|item| inner_leaves(item, texts)),
        Value::Object(members) => members.values().for_each(|item| inner_leaves(item, texts)),
        _ => {}
    }
}
