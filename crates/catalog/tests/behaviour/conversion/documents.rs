//! Generated catalogs in each notation, including unknown members.

use catalog::notation::Notation;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

type Names = [&'static str; 2];

/// A member with its Config API or protocol name, possibly absent or null.
fn member(names: Names, values: Vec<Value>) -> impl Strategy<Value = Option<(Names, Value)>> {
    prop::option::weighted(0.7, select(values).prop_map(move |value| (names, value)))
}

fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    let values = vec![json!(null), json!(1.5), json!({ "b": [1, "x"], "a": {} })];
    let name = select(vec!["novel", "x-é \"q", "futureMember"]);
    let members = prop::collection::hash_map(name, select(values), 0..2);
    members.prop_map(|members| {
        members
            .into_iter()
            .map(|(n, v)| (n.to_owned(), v))
            .collect()
    })
}

fn paths() -> Vec<Value> {
    vec![json!(null), json!([]), json!(["a"]), json!(["b", "c"])]
}

fn keys() -> Vec<Value> {
    vec![
        json!(null),
        json!([]),
        json!([["id"]]),
        json!([["id"], ["b", "c"]]),
    ]
}

fn switch() -> Vec<Value> {
    vec![json!(null), json!(true), json!(false)]
}

fn numbers() -> Vec<Value> {
    vec![json!(null), json!(0), json!(7)]
}

fn texts() -> Vec<Value> {
    vec![json!(null), json!(""), json!("é\n\"")]
}

/// The members of a stream object but its name.
fn definition() -> impl Strategy<Value = Vec<Option<(Names, Value)>>> {
    let schema = vec![
        json!({}),
        json!({ "type": "object", "properties": { "id": {}, "a": { "type": "string" }, "b": { "properties": { "c": {} } } } }),
        json!({ "properties": { "id": true }, "title": "é", "default": 1e20 }),
    ];
    let modes = vec![
        json!(null),
        json!([]),
        json!(["full_refresh"]),
        json!(["incremental", "full_refresh"]),
    ];
    let schema = select(schema).prop_map(|schema| Some((["jsonSchema", "json_schema"], schema)));
    (
        schema,
        member(["supportedSyncModes", "supported_sync_modes"], modes),
        member(["sourceDefinedCursor", "source_defined_cursor"], switch()),
        member(["defaultCursorField", "default_cursor_field"], paths()),
        member(
            ["sourceDefinedPrimaryKey", "source_defined_primary_key"],
            keys(),
        ),
        member(["isResumable", "is_resumable"], switch()),
        member(["isFileBased", "is_file_based"], switch()),
        member(["namespace", "namespace"], texts()),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| vec![a, b, c, d, e, f, g, h])
}

/// The settings that every notation with settings has.
fn settings() -> impl Strategy<Value = Vec<Option<(Names, Value)>>> {
    (
        member(["cursorField", "cursor_field"], paths()),
        member(["primaryKey", "primary_key"], keys()),
        member(
            ["destinationObjectName", "destination_object_name"],
            texts(),
        ),
        member(["includeFiles", "include_files"], switch()),
    )
        .prop_map(|(a, b, c, d)| vec![a, b, c, d])
}

fn modes() -> impl Strategy<Value = Vec<Option<(Names, Value)>>> {
    let writes = [
        "append",
        "overwrite",
        "append_dedup",
        "overwrite_dedup",
        "update",
        "soft_delete",
    ];
    let writes = writes.map(Value::from).to_vec();
    let reads = vec![json!("full_refresh"), json!("incremental"), json!(null)];
    (
        member(["syncMode", "sync_mode"], reads),
        member(["destinationSyncMode", "destination_sync_mode"], writes),
    )
        .prop_map(|(a, b)| vec![a, b])
}

fn generations() -> impl Strategy<Value = Vec<Option<(Names, Value)>>> {
    (
        member(["generationId", "generation_id"], numbers()),
        member(["minimumGenerationId", "minimum_generation_id"], numbers()),
        member(["syncId", "sync_id"], numbers()),
    )
        .prop_map(|(a, b, c)| vec![a, b, c])
}

fn selection() -> impl Strategy<Value = Vec<Option<(Names, Value)>>> {
    let fields = vec![
        json!(null),
        json!([]),
        json!([{ "fieldPath": ["id"] }]),
        json!([{ "fieldPath": ["id"] }, { "fieldPath": ["b", "c"] }]),
    ];
    let mappers = vec![
        json!([]),
        json!([{ "type": "hashing", "mapperConfiguration": { "é": 1 } }]),
    ];
    (
        member(["selectedFields", "selected_fields"], fields),
        member(["mappers", "mappers"], mappers),
    )
        .prop_map(|(a, b)| vec![a, b])
}

/// What only the Config API has.
fn only_config_api() -> impl Strategy<Value = Vec<Option<(Names, Value)>>> {
    let hashed = vec![json!(null), json!([]), json!([{ "fieldPath": ["a"] }])];
    (
        member(
            ["selected", "selected"],
            vec![json!(true), json!(true), json!(false)],
        ),
        member(["suggested", "suggested"], switch()),
        member(
            ["fieldSelectionEnabled", "field_selection_enabled"],
            switch(),
        ),
        member(["hashedFields", "hashed_fields"], hashed),
        member(["aliasName", "alias_name"], texts()),
        member(["namespace", "namespace"], texts()),
    )
        .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f])
}

fn object(members: Vec<Option<(Names, Value)>>, spelling: usize) -> Map<String, Value> {
    let members = members.into_iter().flatten();
    members
        .map(|(names, value)| (names[spelling].to_owned(), value))
        .collect()
}

fn document(entry: impl Strategy<Value = Map<String, Value>>) -> impl Strategy<Value = Value> {
    (prop::collection::vec(entry, 0..4), unknown()).prop_map(|(entries, unknown)| {
        let mut root = unknown;
        let mut streams = Vec::new();
        for (index, mut entry) in entries.into_iter().enumerate() {
            let name = json!(format!("s{index}"));
            match entry.get_mut("stream") {
                Some(stream) => stream["name"] = name,
                None => entry["name"] = name,
            }
            streams.push(entry);
        }
        root.insert("streams".to_owned(), json!(streams));
        Value::Object(root)
    })
}

fn protocol() -> impl Strategy<Value = Value> {
    document((definition(), unknown()).prop_map(|(definition, unknown)| {
        let mut entry = object(definition, 1);
        entry.extend(unknown);
        entry.insert("name".to_owned(), json!(null));
        entry
    }))
}

fn stream_object(
    definition: Vec<Option<(Names, Value)>>,
    unknown: Map<String, Value>,
    spelling: usize,
) -> Value {
    let mut stream = object(definition, spelling);
    stream.extend(unknown);
    Value::Object(stream)
}

fn configured() -> impl Strategy<Value = Value> {
    let parts = (
        definition(),
        unknown(),
        settings(),
        modes(),
        generations(),
        unknown(),
    );
    document(parts.prop_map(
        |(definition, novel, settings, modes, generations, unknown)| {
            let mut entry = object([settings, modes, generations].concat(), 1);
            if entry.get("destination_sync_mode") == Some(&json!("overwrite_dedup")) {
                // The protocol does not have it.
                entry.remove("destination_sync_mode");
            }
            entry.extend(unknown);
            entry.insert("stream".to_owned(), stream_object(definition, novel, 1));
            entry
        },
    ))
}

fn config_api() -> impl Strategy<Value = Value> {
    let stream = (definition(), unknown()).prop_map(|(d, novel)| stream_object(d, novel, 0));
    let own = (selection(), only_config_api(), unknown());
    let parts = (stream, settings(), modes(), generations(), own, unknown());
    document(
        parts.prop_map(|(stream, settings, modes, generations, own, beside)| {
            let (selection, own, novel) = own;
            let mut config = object([settings, modes, generations, selection, own].concat(), 0);
            config.extend(novel);
            let mut entry = beside;
            entry.insert("stream".to_owned(), stream);
            entry.insert("config".to_owned(), Value::Object(config));
            entry
        }),
    )
}

fn public() -> impl Strategy<Value = Value> {
    let words = vec![
        json!("incremental_deduped_history"),
        json!("full_refresh_append"),
        json!("full_refresh_overwrite_deduped"),
    ];
    let mode = member(["syncMode", ""], words);
    let namespace = member(["namespace", ""], texts());
    let parts = (mode, namespace, settings(), selection(), unknown());
    document(
        parts.prop_map(|(mode, namespace, settings, selection, unknown)| {
            let mut entry = object([vec![mode, namespace], settings, selection].concat(), 0);
            entry.extend(unknown);
            entry.insert("name".to_owned(), json!(null));
            entry
        }),
    )
}

pub(super) fn any_document() -> impl Strategy<Value = (Notation, Value)> {
    prop_oneof![
        protocol().prop_map(|document| (Notation::Protocol, document)),
        configured().prop_map(|document| (Notation::Configured, document)),
        config_api().prop_map(|document| (Notation::ConfigApi, document)),
        public().prop_map(|document| (Notation::Public, document)),
    ]
}
