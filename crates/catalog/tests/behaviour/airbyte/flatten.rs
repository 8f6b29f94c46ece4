//! How a schema becomes paths: R6 to R12.

use catalog::diff::airbyte;
use serde_json::{Value, json};

use super::{NOTHING, columns, lines, object, schemas, selected, text, whole};
use crate::given::stream;

#[test]
fn r06_every_node_below_the_root_is_a_field_of_its_whole_schema() {
    let inner = object(json!({ "b": text(), "c": text() }));
    let old = selected(vec![stream("s", json!({}))]);
    let new = selected(vec![stream("s", json!({ "a": inner }))]);
    let diff = serde_json::to_value(airbyte(&old, &new, &old)).unwrap();
    let fields = &diff["transforms"][0]["updateStream"]["fieldTransforms"];
    let seen: Vec<(&Value, &Value)> = fields
        .as_array()
        .unwrap()
        .iter()
        .map(|field| (&field["fieldName"], &field["addField"]["schema"]))
        .collect();
    // Parents before children, in document order; the root is not among them.
    assert_eq!(
        seen,
        [
            (&json!(["a"]), &inner),
            (&json!(["a", "b"]), &text()),
            (&json!(["a", "c"]), &text()),
        ]
    );
}

#[test]
fn r07_nodes_that_are_not_objects_are_skipped_with_their_children() {
    let old = json!({ "a": true, "b": null, "c": [{ "type": "string" }], "d": "string" });
    let new = json!({ "a": false, "b": 7, "c": [{ "type": "integer" }] });
    assert_eq!(columns(old, new), NOTHING);
}

#[test]
fn r08_each_listed_type_is_descended_and_none_means_object_or_for_an_enum_text() {
    let with_type = |kind: Value, x: Value| json!({ "a": { "type": kind, "properties": { "x": x }, "items": { "type": "object", "properties": { "y": x } } } });
    let change = |kind: Value| {
        columns(
            with_type(kind.clone(), text()),
            with_type(kind.clone(), whole()),
        )
    };
    assert_eq!(
        change(json!(["null", "object"])),
        ["update a", "update a.x"]
    );
    assert_eq!(
        change(json!(["object", "array"])),
        [
            "update a",
            "update a.items",
            "update a.items.y",
            "update a.x"
        ]
    );
    assert_eq!(change(json!("string")), ["update a"]);
    let bare = |x: Value| json!({ "a": { "properties": { "airbyte_type": x } } });
    // Without a type it is an object, and its descendants are hidden (R11) unless untyped
    // themselves.
    assert_eq!(
        columns(bare(json!({})), bare(json!({ "x": 1 }))),
        ["update a", "update a.airbyte_type"]
    );
    let choice = |x: Value| json!({ "a": { "enum": ["x"], "properties": { "b": x } } });
    assert_eq!(
        columns(choice(json!({})), choice(json!({ "x": 1 }))),
        ["update a"]
    );
}

#[test]
fn r09_the_items_of_a_list_stand_under_items() {
    let list = |items: Value| json!({ "a": { "type": "array", "items": items } });
    assert_eq!(
        columns(list(text()), list(whole())),
        ["update a", "update a.items"]
    );
    let bare = json!({ "a": { "type": "array" } });
    assert_eq!(columns(bare, list(text())), ["add a.items", "update a"]);
    let tuple = |x: Value| list(json!([x]));
    assert_eq!(columns(tuple(text()), tuple(whole())), ["update a"]);
    // A column with that name cannot be distinguished.
    let column = object(json!({ "items": text() }));
    assert_eq!(columns(list(text()), json!({ "a": column })), ["update a"]);
}

#[test]
fn r10_objects_show_their_properties_or_else_the_branches_of_one_keyword() {
    for keyword in ["oneOf", "allOf", "anyOf"] {
        let branch =
            |x: Value| json!({ "a": { "type": "object", keyword: [object(json!({ "x": x }))] } });
        assert_eq!(
            columns(branch(text()), branch(whole())),
            ["update a.x"],
            "{keyword}: the branches stand at the path of the node itself"
        );
    }
    let both = |x: Value| json!({ "a": { "type": "object", "properties": { "y": text() }, "oneOf": [object(json!({ "x": x }))] } });
    assert_eq!(columns(both(text()), both(whole())), ["update a"]);
    for keyword in ["additionalProperties", "not", "if", "then", "else"] {
        let other =
            |x: Value| json!({ "a": { "type": "object", keyword: object(json!({ "x": x })) } });
        assert_eq!(
            columns(other(text()), other(whole())),
            ["update a"],
            "{keyword}"
        );
    }
    let pattern = |x: Value| json!({ "a": { "type": "object", "patternProperties": { "^x": x } } });
    assert_eq!(columns(pattern(text()), pattern(whole())), ["update a"]);
    let reference = |x: &str| json!({ "a": { "type": "object", "$ref": x } });
    assert_eq!(columns(reference("#/x"), reference("#/y")), ["update a"]);
}

#[test]
fn r11_an_untyped_node_hides_typed_ones_whose_path_begins_with_its_own() {
    let pay = |card: Value| json!({ "pay": { "oneOf": [object(json!({ "card": card }))] } });
    assert_eq!(columns(pay(text()), pay(whole())), ["update pay"]);
    for untyped in [
        json!({}),
        json!({ "$ref": "#/x" }),
        json!({ "enum": ["x"] }),
        json!({ "properties": { "b": text() } }),
    ] {
        // Also hidden: a later sibling whose name merely has the same prefix, but not an earlier
        // one.
        let later = |x: Value| json!({ "pay": untyped, "payout": x });
        assert_eq!(columns(later(text()), later(whole())), NOTHING);
        let before = |x: Value| json!({ "payout": x, "pay": untyped });
        assert_eq!(columns(before(text()), before(whole())), ["update payout"]);
    }
    let typed = |x: Value| json!({ "pay": { "airbyte_type": "integer" }, "payout": x });
    assert_eq!(columns(typed(text()), typed(whole())), ["update payout"]);
    let untyped = |x: Value| json!({ "pay": { "properties": { "how": x } } });
    assert_eq!(
        columns(untyped(json!({})), untyped(json!({ "enum": [] }))),
        ["update pay", "update pay.how"],
        "untyped descendants are kept"
    );
    // Branches at the root have the empty path, which is a prefix of every path.
    let root = |typed: bool, x: Value| {
        let mut branch = json!({ "properties": { "x": x } });
        if typed {
            branch["type"] = json!("object");
        }
        json!({ "oneOf": [branch] })
    };
    assert_eq!(
        schemas(root(true, text()), root(true, whole())),
        ["update ", "update x"]
    );
    assert_eq!(
        schemas(root(false, text()), root(false, whole())),
        ["update "]
    );
}

#[test]
fn r12_a_path_that_occurs_twice_is_one_opaque_value() {
    let both = |last: Value| json!({ "a": { "type": "object", "oneOf": [object(json!({ "x": text() })), object(json!({ "x": last }))] } });
    assert_eq!(columns(both(text()), both(whole())), NOTHING);
    let once = json!({ "a": { "type": "object", "oneOf": [object(json!({ "x": text() }))] } });
    let (old, new) = (
        selected(vec![stream("s", once)]),
        selected(vec![stream("s", both(text()))]),
    );
    let diff = serde_json::to_value(airbyte(&old, &new, &old)).unwrap();
    let x = &diff["transforms"][0]["updateStream"]["fieldTransforms"][0];
    assert_eq!(x["fieldName"], json!(["a", "x"]));
    assert_eq!(
        x["updateFieldSchema"]["newSchema"],
        json!("Duplicated Schema")
    );
    // `a` occurs as itself and as its branches: duplicated on both sides, so no transform of it.
    assert_eq!(lines(&airbyte(&old, &new, &old)), ["update a.x"]);
}

#[test]
fn r12_a_type_listed_twice_shows_what_is_below_twice() {
    let twice =
        |x: Value| json!({ "a": { "type": ["object", "object"], "properties": { "x": x } } });
    assert_eq!(columns(twice(text()), twice(whole())), ["update a"]);
    // What an untyped node hides on the second visit is seen once.
    let hidden = |x: Value| json!({ "a": { "type": ["object", "object"], "properties": { "data_id": x, "data": {} } } });
    assert_eq!(
        columns(hidden(text()), hidden(whole())),
        ["update a", "update a.data_id"]
    );
    // Forty nested repetitions do not cost two to the forty.
    let deep = |x: Value| {
        let kinds = json!(["object", "object", "object"]);
        (0..40).fold(
            x,
            |inner, _| json!({ "type": kinds, "properties": { "a": inner } }),
        )
    };
    let old = json!({ "a": deep(text()) });
    let new = json!({ "a": deep(whole()) });
    assert_eq!(columns(old, new), ["update a"]);
}
