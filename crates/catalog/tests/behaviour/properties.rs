//! Laws that hold for arbitrary catalogs.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::plan::{Acceptance, Capabilities, Decisions, apply, plan};
use catalog::{SyncCatalog, diff};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::given::onboarded;

fn column() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!({ "type": "integer" })),
        Just(json!({ "type": ["null", "string"] })),
        Just(json!({ "type": ["string", "null"], "format": "date-time" })),
        Just(json!({ "type": "number", "description": "words" })),
        Just(json!({})),
        Just(json!(true)),
        Just(json!({ "enum": ["x", "y"] })),
    ];
    scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            properties(inner.clone())
                .prop_map(|p| json!({ "type": ["null", "object"], "properties": p })),
            inner
                .clone()
                .prop_map(|items| json!({ "type": "array", "items": items })),
            prop::collection::vec(inner, 1..3).prop_map(|branches| json!({ "oneOf": branches })),
        ]
    })
}

fn properties(column: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "a",
        "b",
        "id",
        "items",
        "description",
        "properties",
        "type",
        "é \"x",
        "cust_name",
        "customer_name",
        "customerName",
    ]);
    prop::collection::hash_map(name, column, 0..5).prop_map(|columns| {
        Value::Object(
            columns
                .into_iter()
                .map(|(name, schema)| (name.to_owned(), schema))
                .collect(),
        )
    })
}

fn one_stream(name: &'static str) -> impl Strategy<Value = Value> {
    let cursor = prop::sample::select(vec![json!([]), json!(["a"]), json!(["b"])]);
    let key = prop::sample::select(vec![json!([]), json!([["id"]]), json!([["id"], ["a"]])]);
    let modes = prop::sample::select(vec![
        json!(["full_refresh"]),
        json!(["full_refresh", "incremental"]),
    ]);
    (
        properties(column()),
        cursor,
        key,
        modes,
        prop::option::of(any::<bool>()),
        prop::option::of(("[12]", Just((1..=8_u8).collect::<Vec<_>>()).prop_shuffle())),
    )
        .prop_map(move |(properties, cursor, key, modes, own, numbers)| {
            // Most streams have the columns of their cursor and key.
            let mut columns = json!({ "id": { "type": "integer" }, "a": { "type": "string" } });
            for (name, schema) in properties.as_object().unwrap() {
                columns[name] = schema.clone();
            }
            let mut schema = json!({ "type": "object", "properties": columns });
            if let Some((table, numbers)) = numbers {
                let names = schema["properties"].as_object().unwrap().keys().cloned();
                let numbered: Map<String, Value> = names
                    .zip(numbers.iter().map(|number| json!(number)))
                    .collect();
                schema["x-column-ids"] = json!({ "table": table, "columns": numbered });
            }
            json!({
                "name": name,
                "json_schema": schema,
                "supported_sync_modes": modes,
                "default_cursor_field": cursor,
                "source_defined_primary_key": key,
                "source_defined_cursor": own,
            })
        })
}

fn discovered() -> impl Strategy<Value = SyncCatalog> {
    let streams = (
        prop::option::of(one_stream("one")),
        prop::option::of(one_stream("two")),
        prop::option::of(one_stream("three")),
    );
    streams.prop_map(|(one, two, three)| {
        let streams: Vec<Value> = [one, two, three].into_iter().flatten().collect();
        SyncCatalog::parse(&json!({ "streams": streams }).to_string()).unwrap()
    })
}

/// A version: all selected in default modes, some unselected, some narrowed.
fn version() -> impl Strategy<Value = SyncCatalog> {
    (discovered(), any::<[bool; 3]>(), any::<[bool; 3]>()).prop_map(|(discovered, off, narrow)| {
        let mut version = onboarded(&discovered);
        for (index, entry) in version.streams.iter_mut().enumerate() {
            entry.config.selected = !off[index];
            if narrow[index] {
                let columns = entry
                    .stream
                    .columns()
                    .into_iter()
                    .filter(|c| c != "description");
                entry.config.selected_fields = Some(columns.map(|column| vec![column]).collect());
            }
        }
        version
    })
}

fn shuffled(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut reversed: Map<String, Value> = members
                .iter()
                .rev()
                .map(|(name, value)| (name.clone(), shuffled(value)))
                .collect();
            if let Some(Value::Array(types)) = reversed.get_mut("type") {
                types.reverse();
            }
            Value::Object(reversed)
        }
        Value::Array(items) => Value::Array(items.iter().map(shuffled).collect()),
        other => other.clone(),
    }
}

fn rewritten(catalog: &SyncCatalog) -> SyncCatalog {
    let mut document: Value = serde_json::from_str(&catalog.to_document()).unwrap();
    for stream in document["streams"].as_array_mut().unwrap() {
        let schema = shuffled(&stream["stream"]["jsonSchema"]);
        stream["stream"]["jsonSchema"] = schema;
        stream["stream"]["jsonSchema"]["description"] = json!("words for people");
    }
    SyncCatalog::parse(&document.to_string()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stored_catalog_round_trips(mut catalog in version(), extra in "[a-z]{3,8}x", number in any::<i64>()) {
        for entry in &mut catalog.streams {
            let value = |text: String| serde_json::value::RawValue::from_string(text).unwrap().into();
            entry.config.extra.0.insert(extra.clone(), value(format!("{number}")));
            entry.stream.extra.0.insert(extra.clone(), value(format!("[ {number}.50 ]")));
            entry.config.generation_id = Some(number);
        }
        prop_assert_eq!(&SyncCatalog::parse(&catalog.to_document()).unwrap(), &catalog);
        let sent = SyncCatalog::parse(&catalog.to_config_api()).unwrap();
        prop_assert_eq!(sent.configured_fingerprint(), catalog.configured_fingerprint());
    }

    #[test]
    fn formatting_and_order_are_not_drift(catalog in version()) {
        let rewritten = rewritten(&catalog);
        prop_assert_eq!(rewritten.fingerprint(), catalog.fingerprint());
        let plan = plan(&catalog, &rewritten, &Capabilities::default());
        prop_assert_eq!(plan.changes, vec![]);
    }

    #[test]
    fn the_plan_is_empty_exactly_if_the_fingerprints_are_equal(a in version(), b in discovered()) {
        let plan = plan(&a, &b, &Capabilities::default());
        prop_assert_eq!(plan.is_empty(), a.fingerprint() == b.fingerprint(), "{:?}", plan);
        prop_assert_eq!(plan.base_fingerprint, a.fingerprint());
        prop_assert_eq!(plan.discovered_fingerprint, b.fingerprint());
    }

    #[test]
    fn a_catalog_does_not_differ_from_itself(catalog in version()) {
        prop_assert!(diff::airbyte(&catalog, &catalog, &catalog).is_empty());
    }

    #[test]
    fn accepting_everything_resolves_everything(current in version(), discovered in discovered()) {
        let capabilities = Capabilities::default();
        let first = plan(&current, &discovered, &capabilities);
        let accepted = first.decide(&Decisions::all()).unwrap();
        let applied = apply(&current, &discovered, &first, &accepted, &capabilities);
        prop_assert_eq!(&applied.pending, &vec![]);
        prop_assert_eq!(plan(&applied.catalog, &discovered, &capabilities).changes, vec![]);
        for entry in applied.catalog.selected() {
            let config = &entry.config;
            let has = |path: &[String]| catalog::schema::has_path(&entry.stream.json_schema, path);
            let own = entry.stream.source_defined_cursor == Some(true);
            prop_assert!(config.sync_mode == SyncMode::FullRefresh || own || has(&config.cursor_field), "{:?}", entry);
            let deduped = config.destination_sync_mode == DestinationSyncMode::AppendDedup;
            prop_assert!(!deduped || config.primary_key.iter().all(|part| has(part)), "{:?}", entry);
        }
    }

    #[test]
    fn accepting_nothing_loses_no_change(current in version(), discovered in discovered()) {
        let capabilities = Capabilities::default();
        let first = plan(&current, &discovered, &capabilities);
        let accepted = first.decide(&Decisions::none()).unwrap();
        let applied = apply(&current, &discovered, &first, &accepted, &capabilities);
        let ids = |changes: &[catalog::plan::Change]| -> Vec<String> {
            let mut ids: Vec<String> = changes.iter().map(|c| format!("{} {} {}", c.id, c.stream, c.headline())).collect();
            ids.sort();
            ids
        };
        let again = plan(&applied.catalog, &discovered, &capabilities);
        prop_assert_eq!(ids(&again.changes), ids(&applied.pending));
    }

    #[test]
    fn airbyte_accepts_the_catalog_of_every_decision(
        current in version(), discovered in discovered(), choices in prop::collection::vec(0..3u8, 64), mappers in any::<bool>(),
    ) {
        prop_assume!(current.check(&[]).is_ok());
        let capabilities = Capabilities { mappers, ..Capabilities::default() };
        let first = plan(&current, &discovered, &capabilities);
        let (mut accept, mut defer, mut reject) = (Vec::new(), Vec::new(), Vec::new());
        for (change, choice) in first.changes.iter().zip(choices.iter().cycle()) {
            match choice {
                0 => accept.push(change.id.clone()),
                1 if change.is_rejectable() => reject.push(change.id.clone()),
                _ => defer.push(change.id.clone()),
            }
        }
        let decisions = Decisions { accept: Acceptance::Ids(accept), defer, reject };
        let decided = first.decide(&decisions).unwrap();
        let applied = apply(&current, &discovered, &first, &decided, &capabilities);
        prop_assert_eq!(applied.catalog.check(&[]), Ok(()), "{:?}\n{:?}", decisions, applied.catalog);
        prop_assert_eq!(applied.inverse.apply(&applied.catalog), current, "the inverse leads back");
        let again = plan(&applied.catalog, &discovered, &capabilities);
        let ids = |changes: &[catalog::plan::Change]| -> Vec<String> {
            let mut ids: Vec<String> = changes.iter().map(|c| format!("{} {} {}", c.id, c.stream, c.headline())).collect();
            ids.sort();
            ids
        };
        prop_assert_eq!(ids(&again.changes), ids(&applied.pending), "what was deferred, and nothing else, is seen again");
    }
}
