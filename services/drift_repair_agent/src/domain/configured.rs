//! Checks whether Airbyte's configured catalog is the intended one, and finds what was changed in
//! it outside AAM.
//!
//! Compares the selected streams: modes, cursor, key, columns, schema, mappers. Ignores what
//! Airbyte decides itself: a cursor or key that the source defines, a cursor that the mode does not
//! use.

use std::collections::BTreeMap;

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor, SyncMode};
use catalog::{SyncCatalog, SyncStream};
use serde_json::Value;

/// The differences between two configured catalogs, as text; empty if they are equivalent.
pub(crate) fn differences(meant: &SyncCatalog, found: &SyncCatalog) -> Vec<String> {
    let meant = selected(meant);
    let found = selected(found);
    let mut differences = Vec::new();
    for (descriptor, stream) in &meant {
        match found.get(descriptor) {
            None => differences.push(format!("stream {descriptor} is not selected")),
            Some(other) => {
                let (a, b) = (essence(stream), essence(other));
                for (name, (x, y)) in NAMES.iter().zip(a.iter().zip(&b)) {
                    if x != y {
                        differences.push(format!("stream {descriptor} has a different {name}"));
                    }
                }
            }
        }
    }
    for descriptor in found
        .keys()
        .filter(|descriptor| !meant.contains_key(*descriptor))
    {
        differences.push(format!("stream {descriptor} is selected"));
    }
    differences
}

/// The version, overlaid with Airbyte's configured catalog.
pub(crate) fn overlaid(version: &SyncCatalog, configured: &SyncCatalog) -> SyncCatalog {
    let found = selected(configured);
    let mut streams = version.streams.clone();
    for entry in &mut streams {
        match found.get(&entry.descriptor()) {
            None => entry.config.selected = false,
            Some(other) => {
                entry.config = other.config.clone();
                entry.config.selected = true;
                // With a column selection Airbyte returns a narrowed schema.
                if other.config.selected_fields.is_none() {
                    entry.stream.json_schema = other.stream.json_schema.clone();
                }
            }
        }
    }
    let known: Vec<StreamDescriptor> = streams.iter().map(SyncStream::descriptor).collect();
    for (descriptor, entry) in found {
        if !known.contains(&descriptor) {
            streams.push(entry.clone());
        }
    }
    SyncCatalog::new(streams)
}

const NAMES: [&str; 5] = [
    "sync mode",
    "cursor",
    "primary key",
    "schema or column selection",
    "mappers",
];

fn essence(entry: &SyncStream) -> [Value; 5] {
    let (stream, config) = (&entry.stream, &entry.config);
    let deduped = matches!(
        config.destination_sync_mode,
        DestinationSyncMode::AppendDedup | DestinationSyncMode::OverwriteDedup
    );
    let cursor_counts =
        config.sync_mode == SyncMode::Incremental && stream.source_defined_cursor != Some(true);
    let key_counts = deduped && stream.source_defined_primary_key.is_empty();
    let mut key = config.primary_key.clone();
    key.sort();
    let schema: Value = serde_json::from_str(entry.narrowed_schema().get()).unwrap_or(Value::Null);
    let mappers: Vec<Value> = config
        .mappers
        .0
        .iter()
        // Airbyte masks secrets in a mapper's configuration, so only its type can be compared.
        .map(|mapper| mapper.get("type").cloned().unwrap_or(Value::Null))
        .collect();
    [
        serde_json::json!([config.sync_mode, config.destination_sync_mode]),
        if cursor_counts {
            serde_json::json!(config.cursor_field)
        } else {
            Value::Null
        },
        if key_counts {
            serde_json::json!(key)
        } else {
            Value::Null
        },
        schema.get("properties").cloned().unwrap_or(Value::Null),
        Value::Array(mappers),
    ]
}

fn selected(catalog: &SyncCatalog) -> BTreeMap<StreamDescriptor, &SyncStream> {
    catalog
        .selected()
        .map(|entry| (entry.descriptor(), entry))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(properties: &str, config: &str) -> SyncCatalog {
        SyncCatalog::parse(&format!(
            r#"{{"streams":[{{"stream":{{"name":"orders","jsonSchema":{{"type":"object","properties":{properties}}},
               "supportedSyncModes":["full_refresh","incremental"]}},"config":{config}}}]}}"#
        ))
        .unwrap()
    }

    const CONFIG: &str = r#"{"syncMode":"incremental","destinationSyncMode":"append_dedup","cursorField":["u"],"primaryKey":[["id"]],"selected":true}"#;

    #[test]
    fn the_order_of_streams_does_not_matter() {
        let a = catalog(r#"{"id":{"type":"integer"},"u":{"type":"string"}}"#, CONFIG);
        let b = catalog(r#"{"u":{"type":"string"},"id":{"type":"integer"}}"#, CONFIG);
        assert_eq!(differences(&a, &b), Vec::<String>::new());
    }

    #[test]
    fn reports_what_airbyte_stored_differently() {
        let a = catalog(r#"{"id":{"type":"integer"},"u":{"type":"string"}}"#, CONFIG);
        let b = catalog(
            r#"{"id":{"type":"integer"}}"#,
            &CONFIG.replace("append_dedup", "append"),
        );
        assert_eq!(
            differences(&a, &b),
            [
                "stream orders has a different sync mode",
                "stream orders has a different primary key",
                "stream orders has a different schema or column selection"
            ]
        );
        let none = catalog("{}", &CONFIG.replace("true", "false"));
        assert_eq!(differences(&a, &none), ["stream orders is not selected"]);
        assert_eq!(differences(&none, &a), ["stream orders is selected"]);
    }

    #[test]
    fn an_outside_change_becomes_part_of_the_version() {
        let version = catalog(r#"{"id":{"type":"integer"},"u":{"type":"string"}}"#, CONFIG);
        let outside = catalog(
            r#"{"id":{"type":"integer"},"u":{"type":"string"}}"#,
            &CONFIG.replace("append_dedup", "append"),
        );
        let overlaid = overlaid(&version, &outside);
        assert!(differences(&overlaid, &outside).is_empty());
        assert_eq!(overlaid.streams.len(), 1);
    }
}
