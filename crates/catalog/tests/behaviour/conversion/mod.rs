//! Laws of conversion: what a notation can express is restored, what it cannot express is reported,
//! and nothing else is.

mod carried;
mod documents;

use catalog::SyncCatalog;
use catalog::notation::{Document, Notation, convert};
use proptest::prelude::*;
use serde_json::{Value, json};

use carried::{carried, differing, named, read};
use documents::any_document;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_notation_can_express_is_restored((from, document) in any_document()) {
        let document = Document::read(&document.to_string(), Some(from)).unwrap();
        for to in Notation::ALL {
            let written = document.write(to);
            let back = read(&written.text, to);
            prop_assert_eq!(&back, &carried(&document.catalog, from, to), "{} {}", to, written.text);
            let lost = named(&written.lost);
            prop_assert_eq!(lost.len(), written.lost.len(), "named twice");
            prop_assert_eq!(lost, differing(&document.catalog, &back));
            // Another round trip loses nothing more.
            let again = Document { notation: to, catalog: back.clone() }.write(to);
            prop_assert_eq!(read(&again.text, to), back);
            prop_assert_eq!(again.lost, vec![]);
        }
    }

    #[test]
    fn nothing_is_lost_within_a_notation((notation, document) in any_document()) {
        let same = convert(&document.to_string(), Some(notation), notation).unwrap();
        prop_assert_eq!(&same.lost, &vec![]);
        let same: Value = serde_json::from_str(&same.text).unwrap();
        for (name, value) in document.as_object().unwrap() {
            prop_assert!(name == "streams" || same.get(name) == Some(value), "{name} of {same}");
        }
        let (before, after) = (&document["streams"], &same["streams"]);
        for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
            for (before, after) in [
                (before, after),
                (&before["stream"], &after["stream"]),
                (&before["config"], &after["config"]),
            ] {
                for name in ["novel", "x-é \"q", "futureMember"] {
                    prop_assert_eq!(before.get(name), after.get(name));
                }
            }
        }
    }

    #[test]
    fn detects_the_notation_from_the_text((notation, document) in any_document()) {
        let read = Document::read(&document.to_string(), None).unwrap();
        let expected = match document["streams"].as_array().unwrap().is_empty() {
            true => Notation::ConfigApi,
            false => notation,
        };
        prop_assert_eq!(read.notation, expected);
    }
}

#[test]
fn a_version_is_never_parsed_from_the_public_notation() {
    let document = json!({ "streams": [{ "name": "s", "syncMode": "incremental_append" }] });
    let faults = SyncCatalog::parse(&document.to_string()).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "$.streams[0].json_schema: stream s has no json_schema"
    );
    let read = Document::read(&document.to_string(), None).unwrap();
    assert_eq!(read.notation, Notation::Public);
    let sent: Value = serde_json::from_str(&read.write(Notation::ConfigApi).text).unwrap();
    assert_eq!(sent["streams"][0]["stream"]["jsonSchema"], json!({}));
    assert_eq!(
        sent["streams"][0]["config"]["destinationSyncMode"],
        "append"
    );
    let unheard = json!({ "streams": [{ "name": "s", "syncMode": "sideways" }] });
    let faults = Document::read(&unheard.to_string(), None).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "$.streams[0].sync_mode: unknown mode \"sideways\""
    );
}

#[test]
fn a_stream_in_a_different_notation_than_requested_is_a_fault() {
    let flat = json!({ "name": "a", "json_schema": {} });
    let configured = json!({ "stream": { "name": "b", "json_schema": {} } });
    let mixed = json!({ "streams": [flat, configured] }).to_string();
    let faults = Document::read(&mixed, None).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "$.streams[1]: is in the notation configured, not in protocol"
    );
    assert!(SyncCatalog::parse(&mixed).is_ok());
    let faults = convert(&mixed, Some(Notation::ConfigApi), Notation::Public).unwrap_err();
    assert_eq!(faults.0.len(), 2);
}

#[test]
fn unknown_members_stay_unchanged() {
    // As a double the number would change.
    let novel = r#"{ "b": 211111111111111111111111111111.50, "a": "\u00e9" }"#;
    let document = format!(r#"{{"streams":[{{"name":"s","json_schema":{{}},"novel":{novel}}}]}}"#);
    let same = convert(&document, None, Notation::Protocol).unwrap();
    assert!(same.text.contains(novel), "{}", same.text);
    let public = format!(r#"{{"streams":[{{"name":"s","novel":{novel}}}]}}"#);
    let same = convert(&public, None, Notation::Public).unwrap();
    assert!(same.text.contains(novel), "{}", same.text);
}

#[test]
fn losses_are_described() {
    let document = json!({ "streams": [
        { "stream": { "name": "s", "namespace": "n", "jsonSchema": { "properties": { "a": {}, "b": {} } }, "novel": 1 },
          "config": { "syncMode": "full_refresh", "destinationSyncMode": "overwrite_dedup", "selected": true,
            "fieldSelectionEnabled": true, "selectedFields": [{ "fieldPath": ["a"] }] } },
        { "stream": { "name": "off", "jsonSchema": {} }, "config": { "selected": false } },
    ]});
    let lost = |to| {
        let converted = convert(&document.to_string(), None, to).unwrap();
        converted
            .lost
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lost(Notation::Configured),
        [
            "n.s: stream.json_schema: narrowed to the selected columns",
            "n.s: config.destination_sync_mode: the protocol has no overwrite_dedup; replaced by \
             overwrite",
            "n.s: config.selected_fields: only visible in the narrowed schema",
            "n.s: stream.novel: unknown to AAM, so its name in the other notation is unknown as \
             well",
            "off: stream: only selected streams are listed",
        ]
    );
    assert_eq!(lost(Notation::ConfigApi), [""; 0]);
    assert_eq!(lost(Notation::Public).len(), 3);
}
