//! Which streams are compared at all: R1 to R5.

use catalog::diff::{SchemaChange, StreamTransformType, airbyte};
use serde_json::{Value, json};

use super::{columns, lines, selected, text, whole};
use crate::given::{catalog, stream, with};

fn spaced(name: &str, namespace: Value) -> Value {
    let bare = stream(name, json!({ "a": text() }));
    with(bare, json!({ "namespace": namespace }))
}

/// `-moved@` for a stream that went, `+moved` for one that came, `~kept` for one that changed.
fn streams(old: Vec<Value>, new: Vec<Value>) -> Vec<String> {
    let (old, new) = (selected(old), selected(new));
    let diff = airbyte(&old, &new, &old);
    let lines = diff.transforms.iter().map(|transform| {
        let descriptor = &transform.stream_descriptor;
        let space = descriptor.namespace.as_ref();
        let space = space.map_or_else(String::new, |space| format!("@{space}"));
        let sign = match transform.transform_type {
            StreamTransformType::RemoveStream => '-',
            StreamTransformType::AddStream => '+',
            StreamTransformType::UpdateStream => '~',
        };
        format!("{sign}{}{space}", descriptor.name)
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn r01_a_stream_is_known_by_name_and_namespace() {
    let same = spaced("s", json!("n"));
    assert_eq!(streams(vec![same.clone()], vec![same]), super::NOTHING);
    for (before, after, expected) in [
        (json!("n"), json!("N"), ["+s@N", "-s@n"]),
        (json!(null), json!("n"), ["+s@n", "-s"]),
        (json!(null), json!(""), ["+s@", "-s"]),
    ] {
        let (before, after) = (spaced("s", before), spaced("s", after));
        assert_eq!(streams(vec![before], vec![after]), expected);
    }
    let (small, large) = (spaced("s", json!(null)), spaced("S", json!(null)));
    assert_eq!(streams(vec![small], vec![large]), ["+S", "-s"]);
    let twins = || vec![spaced("s", json!("m")), spaced("s", json!("n"))];
    assert_eq!(streams(twins(), twins()), super::NOTHING);
}

#[test]
fn r02_streams_come_and_go_whether_they_are_configured_or_not() {
    let old = catalog(vec![stream("kept", json!({})), stream("gone", json!({}))]);
    let new = catalog(vec![stream("kept", json!({})), stream("new", json!({}))]);
    let expected = json!({ "transforms": [
        { "transformType": "remove_stream", "streamDescriptor": { "name": "gone" } },
        { "transformType": "add_stream", "streamDescriptor": { "name": "new" } },
    ]});
    for configured in [old.clone(), old.clone().with_all_selected()] {
        let diff = airbyte(&old, &new, &configured);
        assert_eq!(serde_json::to_value(&diff).unwrap(), expected);
    }
}

#[test]
fn r03_only_configured_streams_are_looked_into() {
    let old = catalog(vec![stream("s", json!({ "a": text() }))]);
    let new = catalog(vec![stream("s", json!({ "a": whole() }))]);
    assert!(airbyte(&old, &new, &old).is_empty());
    let configured = old.clone().with_all_selected();
    assert_eq!(lines(&airbyte(&old, &new, &configured)), ["update a"]);
    assert!(airbyte(&old, &old, &configured).is_empty());
}

#[test]
fn r04_a_stream_whose_capabilities_alone_change_is_no_update() {
    let old = selected(vec![stream("s", json!({ "a": text() }))]);
    for changed in [
        json!({ "supported_sync_modes": ["full_refresh"] }),
        json!({ "default_cursor_field": ["a"] }),
        json!({ "source_defined_cursor": true }),
        json!({ "is_resumable": true }),
        json!({ "is_file_based": true }),
    ] {
        let new = with(stream("s", json!({ "a": text() })), changed);
        let diff = airbyte(&old, &selected(vec![new]), &old);
        assert_eq!(diff.schema_change(), SchemaChange::NoChange);
    }
}

#[test]
fn r05_a_rename_is_a_removal_and_an_addition() {
    let (old, new) = (stream("orders", json!({})), stream("purchases", json!({})));
    assert_eq!(streams(vec![old], vec![new]), ["+purchases", "-orders"]);
    let field = columns(json!({ "zip": text() }), json!({ "zip_code": text() }));
    assert_eq!(field, ["add zip_code", "remove zip"]);
}
