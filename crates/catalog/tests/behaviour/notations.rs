//! Parsing three notations, faults, writing, fingerprints.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::{SyncCatalog, combined_mode, split_mode};
use serde_json::{Value, json};

use crate::given::{catalog, keyed, only, path, stream, with};

fn faults(document: Value) -> Vec<String> {
    let faults = SyncCatalog::parse(&document.to_string()).unwrap_err();
    faults.0.iter().map(ToString::to_string).collect()
}

#[test]
fn three_notations_are_equivalent() {
    let schema = json!({ "type": "object", "properties": { "b": {}, "a": {} } });
    let config_api = json!({ "streams": [{
        "stream": {
            "name": "s", "namespace": "n", "jsonSchema": schema,
            "supportedSyncModes": ["full_refresh", "incremental"], "sourceDefinedCursor": false,
            "defaultCursorField": ["a"], "sourceDefinedPrimaryKey": [["b"]], "isResumable": true,
        },
        "config": {
            "syncMode": "incremental", "destinationSyncMode": "append_dedup",
            "cursorField": ["a"], "primaryKey": [["b"]], "selected": true,
        },
    }]});
    let configured = json!({ "streams": [{
        "stream": {
            "name": "s", "namespace": "n", "json_schema": schema,
            "supported_sync_modes": ["full_refresh", "incremental"], "source_defined_cursor": false,
            "default_cursor_field": ["a"], "source_defined_primary_key": [["b"]], "is_resumable": true,
        },
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup",
        "cursor_field": ["a"], "primary_key": [["b"]],
    }]});
    let parse = |document: &Value| SyncCatalog::parse(&document.to_string()).unwrap();
    assert_eq!(parse(&config_api), parse(&configured));
    let discovered = parse(&json!({ "streams": [configured["streams"][0]["stream"]] }));
    assert_eq!(only(&discovered).stream, only(&parse(&configured)).stream);
    let config = &only(&discovered).config;
    assert!(!config.selected);
    assert_eq!(
        (config.cursor_field.clone(), config.primary_key.clone()),
        (path(&["a"]), vec![path(&["b"])])
    );
    assert_eq!(only(&discovered).stream.columns(), ["b", "a"]);
}

#[test]
fn lists_every_fault_with_its_path() {
    assert!(faults(json!([]))[0].starts_with("$: "));
    assert_eq!(faults(json!({})), ["$.streams: streams is missing"]);
    assert_eq!(
        faults(json!({ "streams": {} })),
        ["$.streams: streams is not a list"]
    );
    for other in [
        json!(1),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!(true),
        json!({ "a": [{}] }),
    ] {
        assert_eq!(
            faults(json!({ "streams": other })),
            ["$.streams: streams is not a list"]
        );
    }
    assert_eq!(
        faults(json!({ "streams": null })),
        ["$.streams: streams is missing"]
    );
    for garbage in ["", "{", "{} x", r#"{"streams":[}"#] {
        let faults = SyncCatalog::parse(garbage).unwrap_err().to_string();
        assert!(faults.contains("is not JSON"), "{garbage} {faults}");
    }
    for other in ["1", "null", "\"x\""] {
        let faults = SyncCatalog::parse(other).unwrap_err().to_string();
        assert!(faults.contains("not an object"), "{other} {faults}");
    }
    let garbage = json!({ "streams": [
        7,
        { "json_schema": {} },
        { "stream": { "name": "", "json_schema": {} } },
        { "name": "a", "json_schema": [] },
        { "name": "b", "json_schema": {}, "supported_sync_modes": ["sideways"] },
        { "stream": { "name": "c", "json_schema": {} }, "sync_mode": "never", "cursor_field": "id" },
        { "stream": { "name": "d", "json_schema": {} }, "config": { "primaryKey": ["id"], "selected": "yes" } },
    ]});
    let places: Vec<String> = faults(garbage)
        .iter()
        .map(|fault| fault.split(": ").next().unwrap().to_owned())
        .collect();
    assert_eq!(
        places,
        [
            "$.streams[0]",
            "$.streams[1].stream",
            "$.streams[2].stream.name",
            "$.streams[3].json_schema",
            "$.streams[4].supported_sync_modes[0]",
            "$.streams[5].sync_mode",
            "$.streams[5].cursor_field",
            "$.streams[6].config.primary_key",
            "$.streams[6].config.selected",
        ]
    );
    let twice = json!({ "streams": [stream("a", json!({})), stream("a", json!({}))] });
    assert_eq!(faults(twice), ["$.streams[1]: stream a is listed twice"]);
    let bare = json!({ "streams": [{ "name": "a" }] });
    assert_eq!(
        faults(bare),
        ["$.streams[0].json_schema: stream a has no json_schema"]
    );
    let nul = json!({ "streams": [stream("a", json!({})), stream("b", json!({ "x\0": {} }))] });
    assert_eq!(
        faults(nul),
        ["$.streams[1]: contains a NUL character, which no database can store"]
    );
    let escaped = json!({ "streams": [stream("\\u0000", json!({}))] });
    assert!(SyncCatalog::parse(&escaped.to_string()).is_ok());
}

#[test]
fn sends_airbyte_documented_members_and_stores_the_rest_in_the_registry() {
    let document = json!({ "streams": [{
        "stream": { "name": "s", "jsonSchema": { "z": 1, "a": 2 }, "novel": { "x": 1 } },
        "config": {
            "syncMode": "full_refresh", "destinationSyncMode": "overwrite",
            "fieldSelectionEnabled": true, "selectedFields": [{ "fieldPath": ["a"] }],
            "mappers": [{ "type": "hashing", "mapperConfiguration": {} }], "novelty": true,
        },
        "beside": 1,
    }]});
    let catalog = SyncCatalog::parse(&document.to_string()).unwrap();
    let sent: Value = serde_json::from_str(&catalog.to_config_api()).unwrap();
    assert_eq!(
        sent,
        json!({ "streams": [{
            "stream": {
                "name": "s", "jsonSchema": { "z": 1, "a": 2 }, "supportedSyncModes": [],
                "defaultCursorField": [], "sourceDefinedPrimaryKey": [],
            },
            "config": {
                "syncMode": "full_refresh", "destinationSyncMode": "overwrite", "cursorField": [],
                "primaryKey": [], "selected": false, "fieldSelectionEnabled": true,
                "selectedFields": [{ "fieldPath": ["a"] }],
                "mappers": [{ "type": "hashing", "mapperConfiguration": {} }],
            },
        }]})
    );
    let stored = catalog.to_document();
    assert!(
        stored.contains(r#"{"z":1,"a":2}"#),
        "document order is lost: {stored}"
    );
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["streams"][0]["stream"]["novel"], json!({ "x": 1 }));
    assert_eq!(stored["streams"][0]["config"]["novelty"], json!(true));
    assert_eq!(stored["streams"][0]["beside"], json!(1));
    assert!(!format!("{catalog:?}").contains("hashing"));
}

#[test]
fn connectors_get_selected_streams_with_narrowed_schemas() {
    let mut catalog = catalog(vec![
        keyed("copied", json!({ "note": { "type": "string" } })),
        stream("left", json!({})),
    ]);
    catalog.streams[0].config.selected = true;
    catalog.streams[0].config.selected_fields = Some(vec![path(&["id"]), path(&["updated_at"])]);
    let written = catalog.to_protocol_configured();
    let configured: airbyte_protocol::ConfiguredCatalog = serde_json::from_str(&written).unwrap();
    assert_eq!(configured.streams.len(), 1);
    let schema: Value =
        serde_json::from_str(configured.streams[0].stream.json_schema.get()).unwrap();
    let columns: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(columns, ["id", "updated_at"]);
    let public = catalog.to_public_streams();
    assert_eq!(
        serde_json::to_value(&public).unwrap(),
        json!([{
            "name": "copied", "syncMode": "full_refresh_overwrite",
            "selectedFields": [{ "fieldPath": ["id"] }, { "fieldPath": ["updated_at"] }],
        }])
    );
    catalog.streams[0].config.selected_fields = None;
    catalog.streams[0].config.sync_mode = SyncMode::Incremental;
    catalog.streams[0].config.destination_sync_mode = DestinationSyncMode::AppendDedup;
    assert_eq!(
        serde_json::to_value(catalog.to_public_streams()).unwrap(),
        json!([{
            "name": "copied", "syncMode": "incremental_deduped_history", "cursorField": ["updated_at"],
        }])
    );
}

#[test]
fn the_public_words_for_modes_round_trip() {
    let words = [
        "full_refresh_overwrite",
        "full_refresh_append",
        "full_refresh_overwrite_deduped",
        "full_refresh_update",
        "full_refresh_soft_delete",
        "incremental_append",
        "incremental_deduped_history",
        "incremental_update",
        "incremental_soft_delete",
    ];
    for word in words {
        let (read, write) = split_mode(word).unwrap();
        assert_eq!(combined_mode(read, write), Some(word));
    }
    assert_eq!(
        combined_mode(SyncMode::Incremental, DestinationSyncMode::Overwrite),
        None
    );
    assert_eq!(split_mode("sideways"), None);
}

#[test]
fn the_fingerprint_depends_on_meaning_and_not_on_formatting() {
    let print = |properties: Value| catalog(vec![stream("s", properties)]).fingerprint();
    let base = print(json!({ "a": { "type": ["null", "string"] }, "b": { "type": "integer" } }));
    assert_eq!(base.len(), 64);
    let same = [
        json!({ "b": { "type": "integer" }, "a": { "type": ["null", "string"] } }),
        json!({ "a": { "type": ["string", "null"], "description": "x" }, "b": { "type": ["integer"], "title": "B", "examples": [1] } }),
    ];
    for properties in same {
        assert_eq!(print(properties), base);
    }
    let other = [
        json!({ "a": { "type": "string" }, "b": { "type": "integer" } }),
        json!({ "a": { "type": ["null", "string"] }, "b": { "type": "integer" }, "description": { "type": "string" } }),
        json!({ "a": { "type": ["null", "string"], "format": "date" }, "b": { "type": "integer" } }),
    ];
    for properties in other {
        assert_ne!(print(properties.clone()), base, "{properties}");
    }
    let (a, b) = (stream("a", json!({})), stream("b", json!({})));
    assert_eq!(
        catalog(vec![a.clone(), b.clone()]).fingerprint(),
        catalog(vec![b.clone(), a.clone()]).fingerprint()
    );
    let namespaced = with(a.clone(), json!({ "namespace": "" }));
    assert_ne!(
        catalog(vec![a.clone()]).fingerprint(),
        catalog(vec![namespaced]).fingerprint()
    );
    let mut configured = catalog(vec![a]);
    let before = (
        configured.fingerprint(),
        configured.configured_fingerprint(),
    );
    configured.streams[0].config.selected = true;
    assert_eq!(configured.fingerprint(), before.0);
    assert_ne!(configured.configured_fingerprint(), before.1);
}
