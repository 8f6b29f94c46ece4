//! What happened to the fields of a stream: R13 to R16.

use catalog::diff::airbyte;
use serde_json::{Value, json};

use super::{NOTHING, columns, object, schemas, selected, text, whole};
use crate::given::stream;

fn transforms(old: Value, new: Value) -> Value {
    let old = selected(vec![stream("s", old)]);
    let new = selected(vec![stream("s", new)]);
    let diff = serde_json::to_value(airbyte(&old, &new, &old)).unwrap();
    diff["transforms"][0]["updateStream"]["fieldTransforms"].clone()
}

#[test]
fn r13_fields_come_and_go_with_their_schemas() {
    assert_eq!(
        transforms(json!({ "a": text() }), json!({ "b": whole() })),
        json!([
            { "transformType": "remove_field", "fieldName": ["a"], "breaking": false,
                "removeField": { "schema": text() } },
            { "transformType": "add_field", "fieldName": ["b"], "breaking": false,
                "addField": { "schema": whole() } },
        ])
    );
}

#[test]
fn r14_any_difference_as_json_is_an_update_including_list_order() {
    assert_eq!(
        transforms(json!({ "a": text() }), json!({ "a": whole() })),
        json!([{ "transformType": "update_field_schema", "fieldName": ["a"], "breaking": false,
            "updateFieldSchema": { "oldSchema": text(), "newSchema": whole() } }])
    );
    let list = |types: Value| json!({ "a": { "type": types } });
    assert_eq!(
        columns(
            list(json!(["null", "string"])),
            list(json!(["string", "null"]))
        ),
        ["update a"]
    );
    let described = json!({ "a": { "type": "string", "description": "words" } });
    assert_eq!(columns(json!({ "a": text() }), described), ["update a"]);
    let members = json!({ "a": { "type": "string", "format": "date" } });
    let turned = json!({ "a": { "format": "date", "type": "string" } });
    assert_eq!(columns(members, turned), NOTHING);
}

#[test]
fn r14_members_in_another_order_are_compared_one_by_one() {
    let many = |from: usize, last: &str| {
        let names = (0..100).map(|i| format!("c{}", (i + from) % 100));
        let mut members: serde_json::Map<_, _> = names.map(|name| (name, json!(1))).collect();
        members.insert("c7".to_owned(), json!(last));
        json!({ "a": { "type": "string", "x": members } })
    };
    assert_eq!(columns(many(0, "x"), many(40, "x")), NOTHING);
    assert_eq!(columns(many(0, "x"), many(40, "y")), ["update a"]);
}

#[test]
fn r15_ancestors_of_what_changed_are_updated_too() {
    let deep = |x: Value| json!({ "a": object(json!({ "b": { "type": "array", "items": object(json!({ "c": x })) } })) });
    assert_eq!(
        columns(deep(text()), deep(whole())),
        [
            "update a",
            "update a.b",
            "update a.b.items",
            "update a.b.items.c"
        ]
    );
    assert_eq!(
        columns(deep(text()), json!({})),
        [
            "remove a",
            "remove a.b",
            "remove a.b.items",
            "remove a.b.items.c"
        ]
    );
}

#[test]
fn r16_the_roots_own_members_are_not_compared() {
    let bare = object(json!({ "a": text() }));
    for (name, value) in [
        ("required", json!(["a"])),
        ("additionalProperties", json!(false)),
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("description", json!("words")),
    ] {
        let mut changed = bare.clone();
        changed[name] = value;
        assert_eq!(schemas(bare.clone(), changed), NOTHING, "{name}");
    }
}
