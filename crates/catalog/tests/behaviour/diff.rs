//! Airbyte's diff: the worked examples and the oddities.

use catalog::SyncCatalog;
use catalog::diff::{CatalogDiff, SchemaChange, airbyte};
use serde_json::{Value, json};

use crate::given::{catalog, stream, with};

/// Transforms of the one stream, as sorted lines: `update a.b`, `remove c !`.
fn lines(diff: &CatalogDiff) -> Vec<String> {
    let Some(transform) = diff.transforms.first() else {
        return Vec::new();
    };
    assert_eq!(diff.transforms.len(), 1);
    let update = serde_json::to_value(transform.update_stream.as_ref().unwrap()).unwrap();
    let mark = |transform: &Value| {
        if transform["breaking"] == true {
            " !"
        } else {
            ""
        }
    };
    let fields = update["fieldTransforms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|transform| {
            let kind = transform["transformType"].as_str().unwrap();
            let verb = kind.split('_').next().unwrap();
            let path: Vec<&str> = transform["fieldName"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p.as_str().unwrap())
                .collect();
            format!("{verb} {}{}", path.join("."), mark(transform))
        });
    let attributes = update["streamAttributeTransforms"]
        .as_array()
        .unwrap()
        .iter();
    let attributes = attributes.map(|transform| {
        format!(
            "{}{}",
            transform["transformType"].as_str().unwrap(),
            mark(transform)
        )
    });
    let mut lines: Vec<String> = fields.chain(attributes).collect();
    lines.sort();
    lines
}

fn selected(streams: Vec<Value>) -> SyncCatalog {
    catalog(streams).with_all_selected()
}

fn columns(old: Value, new: Value) -> Vec<String> {
    let (old, new) = (
        selected(vec![stream("s", old)]),
        selected(vec![stream("s", new)]),
    );
    lines(&airbyte(&old, &new, &old))
}

fn object(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

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

#[test]
fn nested_changes_are_reported_with_their_ancestors() {
    let (s, i) = (text(), whole());
    // E1
    let old = json!({ "addr": object(json!({ "zip": s, "city": s })) });
    let new = json!({ "addr": object(json!({ "zip": i, "city": s })) });
    assert_eq!(columns(old, new), ["update addr", "update addr.zip"]);
    // E2
    let old = json!({ "addr": object(json!({ "zip": s })) });
    let new = json!({ "addr": object(json!({ "zip": s, "geo": object(json!({ "lat": s })) })) });
    assert_eq!(
        columns(old, new),
        ["add addr.geo", "add addr.geo.lat", "update addr"]
    );
    // E3
    let lines = |items| json!({ "lines": { "type": "array", "items": object(items) } });
    assert_eq!(
        columns(
            lines(json!({ "sku": s })),
            lines(json!({ "sku": s, "qty": i }))
        ),
        ["add lines.items.qty", "update lines", "update lines.items"]
    );
    // E4
    let old = json!({ "addr": object(json!({ "zip": s })) });
    assert_eq!(columns(old, json!({})), ["remove addr", "remove addr.zip"]);
}

#[test]
fn nodes_without_a_type_hide_what_follows_their_name() {
    let (s, i) = (text(), whole());
    let branch = |iban: &Value| json!([{ "type": "object", "properties": { "card": s } }, { "type": "object", "properties": { "iban": iban } }]);
    // E5
    let pay = |iban: &Value| json!({ "pay": { "oneOf": branch(iban) } });
    assert_eq!(columns(pay(&s), pay(&i)), ["update pay"]);
    // E6
    let pay = |iban: &Value| json!({ "pay": { "type": "object", "oneOf": branch(iban) } });
    assert_eq!(columns(pay(&s), pay(&i)), ["update pay.iban"]);
    // E7
    let both = |payout: &Value| json!({ "pay": { "oneOf": branch(&s) }, "payout": payout });
    assert_eq!(columns(both(&s), both(&i)), [""; 0]);
    // E8
    let old = json!({ "data": {}, "data_id": i, "id": s });
    assert_eq!(columns(old, json!({ "data": {}, "id": s })), [""; 0]);
    let old = json!({ "data_id": i, "data": {}, "id": s });
    assert_eq!(
        columns(old, json!({ "data": {}, "id": s })),
        ["remove data_id"]
    );
}

#[test]
fn the_order_of_types_counts_and_the_order_of_members_does_not() {
    // E9
    let old = json!({ "a": { "type": ["null", "string"] } });
    assert_eq!(
        columns(old, json!({ "a": { "type": ["string", "null"] } })),
        ["update a"]
    );
    let old = json!({ "a": { "type": "string", "format": "date" } });
    assert_eq!(
        columns(old, json!({ "a": { "format": "date", "type": "string" } })),
        [""; 0]
    );
    let new = json!({ "a": { "type": "string", "description": "words" } });
    assert_eq!(columns(json!({ "a": text() }), new), ["update a"]);
}

#[test]
fn losing_cursor_or_key_breaks_only_where_they_are_used() {
    let all = json!({ "id": whole(), "updated": text(), "note": text() });
    // E10
    let old = selected(vec![deduped(all.clone(), json!([["id"]]), json!([]))]);
    let new = selected(vec![stream("s", json!({ "id": whole(), "note": text() }))]);
    let diff = airbyte(&old, &new, &old);
    assert_eq!(lines(&diff), ["remove updated !"]);
    assert_eq!(diff.schema_change(), SchemaChange::Breaking);
    // The key inside an object goes with the object.
    let nested = json!({ "ref": object(json!({ "id": whole() })), "updated": text() });
    let old = selected(vec![deduped(nested, json!([["ref", "id"]]), json!([]))]);
    let new = selected(vec![stream("s", json!({ "updated": text() }))]);
    assert_eq!(
        lines(&airbyte(&old, &new, &old)),
        ["remove ref", "remove ref.id !"]
    );
    // E11
    let full = selected(vec![stream("s", all.clone())]);
    let new = selected(vec![stream("s", json!({ "note": text() }))]);
    let diff = airbyte(&full, &new, &full);
    assert_eq!(lines(&diff), ["remove id", "remove updated"]);
    assert_eq!(diff.schema_change(), SchemaChange::NonBreaking);
    // E15
    let date = json!({ "type": "string", "format": "date-time" });
    let cursor = |updated: Value| json!({ "id": whole(), "updated": updated });
    let old = selected(vec![deduped(cursor(date), json!([["id"]]), json!([]))]);
    let new = selected(vec![stream("s", cursor(whole()))]);
    assert_eq!(lines(&airbyte(&old, &new, &old)), ["update updated"]);
}

#[test]
fn a_changed_source_key_breaks_unless_it_is_gone_or_already_used() {
    let all = json!({ "id": whole(), "region": text(), "updated": text() });
    let verdict = |configured: Value, old_key: Value, new_key: Value| {
        let old = selected(vec![deduped(all.clone(), configured.clone(), old_key)]);
        let new = selected(vec![deduped(all.clone(), configured, new_key)]);
        lines(&airbyte(&old, &new, &old))
    };
    let id = || json!([["id"]]);
    // E12
    assert_eq!(
        verdict(id(), id(), json!([["id"], ["region"]])),
        ["update_primary_key !"]
    );
    // E13
    assert_eq!(verdict(id(), id(), json!([])), ["update_primary_key"]);
    // E14
    let both = json!([["region"], ["id"]]);
    assert_eq!(
        verdict(both, id(), json!([["id"], ["region"]])),
        ["update_primary_key"]
    );
}

#[test]
fn streams_come_and_go_by_name_and_namespace_and_unselected_ones_are_not_updated() {
    let old = catalog(vec![
        stream("kept", json!({ "a": text() })),
        with(stream("moved", json!({})), json!({ "namespace": "" })),
    ]);
    let new = catalog(vec![
        stream("kept", json!({ "a": whole() })),
        stream("moved", json!({})),
    ]);
    let diff = airbyte(&old, &new, &old);
    let kinds: Vec<Value> = diff
        .transforms
        .iter()
        .map(|t| serde_json::to_value(t).unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            json!({ "transformType": "remove_stream", "streamDescriptor": { "name": "moved", "namespace": "" } }),
            json!({ "transformType": "add_stream", "streamDescriptor": { "name": "moved" } }),
        ]
    );
    let diff = airbyte(&old, &new, &old.clone().with_all_selected());
    assert_eq!(diff.transforms.len(), 3);
    assert_eq!(
        airbyte(&old, &old, &old).schema_change(),
        SchemaChange::NoChange
    );
}

#[test]
fn attributes_other_than_the_key_are_no_change() {
    let old = selected(vec![stream("s", json!({ "a": text() }))]);
    let changed = json!({
        "supported_sync_modes": ["full_refresh"], "default_cursor_field": ["a"],
        "source_defined_cursor": true, "is_resumable": true,
    });
    let mut new = stream("s", json!({ "a": text() }));
    new["json_schema"]["required"] = json!(["a"]);
    new["json_schema"]["additionalProperties"] = json!(false);
    assert!(airbyte(&old, &selected(vec![with(new, changed)]), &old).is_empty());
}

#[test]
fn branches_at_the_root_stand_at_the_empty_path_and_hide_typed_fields() {
    let root = |typed: bool, x: Value| {
        let mut branch = json!({ "properties": { "x": x } });
        if typed {
            branch["type"] = json!("object");
        }
        let stream = json!({
            "name": "s", "json_schema": { "oneOf": [branch] }, "supported_sync_modes": [],
        });
        selected(vec![stream])
    };
    let (old, new) = (root(true, text()), root(true, whole()));
    assert_eq!(lines(&airbyte(&old, &new, &old)), ["update ", "update x"]);
    let (old, new) = (root(false, text()), root(false, whole()));
    assert_eq!(lines(&airbyte(&old, &new, &old)), ["update "]);
}

#[test]
fn a_path_that_occurs_twice_is_one_opaque_value() {
    let both = |last: Value| json!({ "a": { "type": "object", "oneOf": [object(json!({ "x": text() })), object(json!({ "x": last }))] } });
    assert_eq!(columns(both(text()), both(whole())), [""; 0]);
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
fn nodes_that_are_no_objects_are_skipped_and_type_lists_are_descended() {
    assert_eq!(
        columns(json!({ "a": true }), json!({ "a": null, "b": [1] })),
        [""; 0]
    );
    let nullable =
        |x: Value| json!({ "a": { "type": ["null", "object"], "properties": { "x": x } } });
    assert_eq!(
        columns(nullable(text()), nullable(whole())),
        ["update a", "update a.x"]
    );
    let tuple = |x: Value| json!({ "a": { "type": "array", "items": [x] } });
    assert_eq!(columns(tuple(text()), tuple(whole())), ["update a"]);
    let choice =
        |x: Value| json!({ "a": { "enum": ["x"], "properties": { "b": x } }, "c": text() });
    assert_eq!(columns(choice(text()), choice(whole())), ["update a"]);
}
