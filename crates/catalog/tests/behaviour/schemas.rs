//! Shared schemas, and unusable schemas.

use std::sync::Arc;

use catalog::{Interner, SyncCatalog};
use serde_json::{Value, json};

use crate::given::{catalog, stream};

fn nested(levels: usize) -> String {
    format!(
        "{}{}",
        r#"{"a":"#.repeat(levels - 1) + "{}",
        "}".repeat(levels - 1)
    )
}

fn faults(entry: &str) -> String {
    let document = format!(r#"{{"streams":[{{"name":"fine","json_schema":{{}}}},{entry}]}}"#);
    SyncCatalog::parse(&document).map_or_else(|faults| faults.to_string(), |_| String::new())
}

#[test]
fn a_schema_nested_too_deeply_is_a_fault_with_its_path() {
    let with = |schema: &str| faults(&format!(r#"{{"name":"s","json_schema":{schema}}}"#));
    assert_eq!(with(&nested(100)), "");
    let expected = "$.streams[1].json_schema: json_schema is nested deeper than 100 levels";
    for levels in [101, 127, 128, 1_000, 1_000_000] {
        assert_eq!(with(&nested(levels)), expected, "{levels}");
    }
    let lists = format!(r#"{{"enum":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(with(&lists), expected);
    // Brackets inside texts are not nesting.
    let text = format!(r#"{{"title":"\"\\{}"}}"#, "[{".repeat(500));
    assert_eq!(with(&text), "");
}

#[test]
fn unknown_members_may_not_nest_deeply_either() {
    let deep = nested(101);
    for (entry, place) in [
        (
            format!(r#"{{"name":"s","json_schema":{{}},"novel":{deep}}}"#),
            ".novel: novel",
        ),
        (
            format!(
                r#"{{"stream":{{"name":"s","json_schema":{{}}}},"config":{{"novel":{deep}}}}}"#
            ),
            ".config.novel: novel",
        ),
        (
            format!(
                r#"{{"stream":{{"name":"s","json_schema":{{}}}},"config":{{"mappers":[{deep}]}}}}"#
            ),
            ".config.mappers: mappers",
        ),
    ] {
        let expected = format!("$.streams[1]{place} is nested deeper than 100 levels");
        assert_eq!(faults(&entry), expected);
    }
    let root = format!(r#"{{"streams":[],"novel":{deep}}}"#);
    let faults = SyncCatalog::parse(&root).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "$.novel: novel is nested deeper than 100 levels"
    );
}

#[test]
fn numbers_and_texts_that_cannot_be_represented_are_faults() {
    for unusable in [
        "1e999",
        "-1E400",
        &"9".repeat(400),
        r#""\ud800""#,
        r#""\uDC00x""#,
    ] {
        let schema = format!(r#"{{"name":"s","json_schema":{{"x":{unusable}}}}}"#);
        let message = faults(&schema);
        assert!(
            message.contains("contains a number beyond all doubles"),
            "{unusable}: {message}"
        );
        let novel = format!(r#"{{"name":"s","json_schema":{{}},"novel":{unusable}}}"#);
        assert!(
            faults(&novel).starts_with("$.streams[1].novel: "),
            "{unusable}"
        );
    }
    let name = r#"{"name":"s","json_schema":{},"\ud800":1}"#;
    assert!(
        faults(name).contains("$: the catalog is not JSON: "),
        "{}",
        faults(name)
    );
    for usable in [
        "1e300",
        "-0.5",
        "12345678901234567890",
        r#""\ud83d\ude00 \\ud800""#,
    ] {
        let schema = format!(r#"{{"name":"s","json_schema":{{"x":{usable}}}}}"#);
        assert_eq!(faults(&schema), "", "{usable}");
    }
}

fn schema(catalog: &SyncCatalog, index: usize) -> &catalog::Schema {
    &catalog.streams[index].stream.json_schema
}

#[test]
fn stores_equal_schemas_once() {
    let columns = json!({ "a": { "type": "string" } });
    let streams = [("a", &columns), ("b", &columns), ("c", &json!({}))];
    let streams: Vec<Value> = streams
        .map(|(name, columns)| stream(name, columns.clone()))
        .into();
    let text = json!({ "streams": streams }).to_string();
    let mut interner = Interner::default();
    assert!(interner.is_empty());
    let first = SyncCatalog::parse_with(&text, &mut interner).unwrap();
    let second = SyncCatalog::parse_with(&text, &mut interner).unwrap();
    assert_eq!(interner.len(), 2);
    assert!(Arc::ptr_eq(schema(&first, 0), schema(&first, 1)));
    assert!(!Arc::ptr_eq(schema(&first, 0), schema(&first, 2)));
    for index in 0..3 {
        assert!(Arc::ptr_eq(schema(&first, index), schema(&second, index)));
    }
    let alone = SyncCatalog::parse(&text).unwrap();
    assert!(Arc::ptr_eq(schema(&alone, 0), schema(&alone, 1)));
    assert_eq!((&alone, &second), (&first, &first));
    // A schema with a defect is never interned.
    let broken = format!(
        r#"{{"streams":[{{"name":"s","json_schema":{}}}]}}"#,
        nested(101)
    );
    for _ in 0..2 {
        assert!(SyncCatalog::parse_with(&broken, &mut interner).is_err());
    }
    assert_eq!(interner.len(), 2);
}

#[test]
fn distinguishes_schemas_that_look_alike() {
    let filler = "x".repeat(10_000);
    let alike = |mark: u32| {
        let title = format!("{filler}{mark:04}{filler}");
        let schema = json!({ "properties": {}, "title": title });
        json!({ "name": format!("s{mark}"), "json_schema": schema })
    };
    let text = json!({ "streams": (0..50).map(alike).collect::<Vec<_>>() }).to_string();
    let mut interner = Interner::default();
    let first = SyncCatalog::parse_with(&text, &mut interner).unwrap();
    let second = SyncCatalog::parse_with(&text, &mut interner).unwrap();
    assert_eq!(interner.len(), 50);
    for (index, entry) in first.streams.iter().enumerate() {
        assert!(
            entry
                .stream
                .json_schema
                .get()
                .contains(&format!("x{index:04}x"))
        );
        assert!(Arc::ptr_eq(schema(&first, index), schema(&second, index)));
    }
}

#[test]
fn narrowing_keeps_the_rest_unchanged() {
    let written = r#"{ "title" : "\u00e9", "properties": { "a": { "maximum": 1.00 },
        "b": {}, "c": { "enum": [ 12345678901234567890 ] } } }"#;
    let schema = serde_json::value::RawValue::from_string(written.to_owned()).unwrap();
    let schema: catalog::Schema = schema.into();
    let keep = |columns: &[&str]| {
        let columns: Vec<Vec<String>> = columns.iter().map(|c| vec![(*c).to_owned()]).collect();
        catalog::schema::narrowed(&schema, &columns)
    };
    assert!(Arc::ptr_eq(&keep(&["a", "b", "c", "d"]), &schema));
    assert_eq!(
        keep(&["a", "c"]).get(),
        r#"{"title":"\u00e9","properties":{"a":{ "maximum": 1.00 },"c":{ "enum": [ 12345678901234567890 ] }}}"#
    );
    assert!(keep(&[]).get().ends_with(r#""properties":{}}"#));
    let bare = catalog(vec![stream("s", json!({}))]);
    assert!(Arc::ptr_eq(
        &catalog::schema::narrowed(&bare.streams[0].stream.json_schema, &[]),
        &bare.streams[0].stream.json_schema
    ));
}
