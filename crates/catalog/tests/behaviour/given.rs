//! Fixtures: catalogs from JSON literals.

use catalog::{SyncCatalog, SyncStream};
use serde_json::{Value, json};

pub(crate) fn catalog(streams: Vec<Value>) -> SyncCatalog {
    SyncCatalog::parse(&json!({ "streams": streams }).to_string()).unwrap()
}

/// A discovered stream with those columns.
pub(crate) fn stream(name: &str, properties: Value) -> Value {
    json!({
        "name": name,
        "json_schema": { "type": "object", "properties": properties },
        "supported_sync_modes": ["full_refresh", "incremental"],
    })
}

/// A discovered stream with a key `id` and a proposed cursor `updated_at`.
pub(crate) fn keyed(name: &str, mut properties: Value) -> Value {
    properties["id"] = json!({ "type": "integer" });
    properties["updated_at"] = json!({ "type": "string", "format": "date-time" });
    with(
        stream(name, properties),
        json!({
            "default_cursor_field": ["updated_at"],
            "source_defined_primary_key": [["id"]],
        }),
    )
}

pub(crate) fn with(mut value: Value, members: Value) -> Value {
    for (name, member) in members.as_object().unwrap() {
        value[name] = member.clone();
    }
    value
}

/// The catalog with every stream selected in AAM's default modes.
pub(crate) fn onboarded(discovered: &SyncCatalog) -> SyncCatalog {
    catalog::select::select(discovered, None, &[]).unwrap()
}

pub(crate) fn only(catalog: &SyncCatalog) -> &SyncStream {
    assert_eq!(catalog.streams.len(), 1, "{catalog:?}");
    &catalog.streams[0]
}

pub(crate) fn path(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}
