//! Airbyte's rules, one test each: `r01` to `r21` of its schema diff, `e01` to `e15` of worked
//! examples, `p01` to `p09` of its propagation. `p06` and `p10` concern the server: their tests are
//! in the embedded Airbyte, as are those of `p08` and `p09` that involve connectors.

mod breaking;
mod examples;
mod fields;
mod flatten;
mod merging;
mod propagation;
mod streams;

use catalog::SyncCatalog;
use catalog::diff::{CatalogDiff, airbyte};
use serde_json::{Value, json};

use crate::given::{catalog, stream, with};

/// Transforms of the one stream, as sorted lines: `update a.b`, `remove c !`.
fn lines(diff: &CatalogDiff) -> Vec<String> {
    let Some(transform) = diff.transforms.first() else {
        return Vec::new();
    };
    assert_eq!(diff.transforms.len(), 1);
    let update = serde_json::to_value(transform.update_stream.as_ref().unwrap()).unwrap();
    let list = |name: &str| update[name].as_array().unwrap().clone();
    let mark = |transform: &Value| {
        if transform["breaking"] == true {
            " !"
        } else {
            ""
        }
    };
    let fields = list("fieldTransforms").into_iter().map(|transform| {
        let kind = transform["transformType"].as_str().unwrap();
        let verb = kind.split('_').next().unwrap();
        let path: Vec<&str> = transform["fieldName"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part.as_str().unwrap())
            .collect();
        format!("{verb} {}{}", path.join("."), mark(&transform))
    });
    let attributes = list("streamAttributeTransforms");
    let attributes = attributes.into_iter().map(|transform| {
        let kind = transform["transformType"].as_str().unwrap();
        format!("{kind}{}", mark(&transform))
    });
    let mut lines: Vec<String> = fields.chain(attributes).collect();
    lines.sort();
    lines
}

fn selected(streams: Vec<Value>) -> SyncCatalog {
    catalog(streams).with_all_selected()
}

/// Airbyte's transforms when the columns of a configured stream change.
fn columns(old: Value, new: Value) -> Vec<String> {
    schemas(
        stream("s", old)["json_schema"].clone(),
        stream("s", new)["json_schema"].clone(),
    )
}

/// Airbyte's transforms when the whole schema of a configured stream changes.
fn schemas(old: Value, new: Value) -> Vec<String> {
    let of = |schema: Value| selected(vec![json!({ "name": "s", "json_schema": schema })]);
    let (old, new) = (of(old), of(new));
    lines(&airbyte(&old, &new, &old))
}

fn object(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

/// A stream read incrementally by `updated` and deduplicated by that key.
fn deduped(properties: Value, key: Value, source_key: Value) -> Value {
    json!({
        "stream": with(stream("s", properties), json!({ "source_defined_primary_key": source_key })),
        "config": {
            "syncMode": "incremental", "destinationSyncMode": "append_dedup", "selected": true,
            "cursorField": ["updated"], "primaryKey": key,
        },
    })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn whole() -> Value {
    json!({ "type": "integer" })
}

const NOTHING: [&str; 0] = [];
