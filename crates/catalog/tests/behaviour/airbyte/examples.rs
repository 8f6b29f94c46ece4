//! The worked examples: E1 to E15.

use catalog::diff::{SchemaChange, airbyte};
use serde_json::{Value, json};

use super::{NOTHING, columns, deduped, lines, object, selected, text, whole};
use crate::given::stream;

#[test]
fn e01_a_changed_nested_type_updates_its_parent() {
    let address = |zip: Value| json!({ "addr": object(json!({ "zip": zip, "city": text() })) });
    assert_eq!(
        columns(address(text()), address(whole())),
        ["update addr", "update addr.zip"]
    );
}

#[test]
fn e02_an_added_nested_object_is_added_with_its_members() {
    let old = json!({ "addr": object(json!({ "zip": text() })) });
    let geo = object(json!({ "lat": text() }));
    let new = json!({ "addr": object(json!({ "zip": text(), "geo": geo })) });
    assert_eq!(
        columns(old, new),
        ["add addr.geo", "add addr.geo.lat", "update addr"]
    );
}

#[test]
fn e03_a_member_added_to_the_items_of_a_list_updates_list_and_items() {
    let lines = |items| json!({ "lines": { "type": "array", "items": object(items) } });
    let old = lines(json!({ "sku": text() }));
    let new = lines(json!({ "sku": text(), "qty": whole() }));
    assert_eq!(
        columns(old, new),
        ["add lines.items.qty", "update lines", "update lines.items"]
    );
}

#[test]
fn e04_a_removed_object_removes_its_members() {
    let old = json!({ "addr": object(json!({ "zip": text() })) });
    assert_eq!(columns(old, json!({})), ["remove addr", "remove addr.zip"]);
}

fn branches(iban: &Value) -> Value {
    json!([
        object(json!({ "card": text() })),
        object(json!({ "iban": iban }))
    ])
}

#[test]
fn e05_a_choice_without_a_type_is_one_value() {
    let pay = |iban: Value| json!({ "pay": { "oneOf": branches(&iban) } });
    assert_eq!(columns(pay(text()), pay(whole())), ["update pay"]);
}

#[test]
fn e06_a_choice_with_a_type_is_a_duplicate_of_its_branches() {
    let pay = |iban: Value| json!({ "pay": { "type": "object", "oneOf": branches(&iban) } });
    assert_eq!(columns(pay(text()), pay(whole())), ["update pay.iban"]);
}

#[test]
fn e07_a_choice_without_a_type_hides_a_later_column_that_begins_like_it() {
    let both = |payout: Value| json!({ "pay": { "oneOf": branches(&text()) }, "payout": payout });
    assert_eq!(columns(both(text()), both(whole())), NOTHING);
}

#[test]
fn e08_an_empty_schema_hides_what_follows_and_not_what_precedes() {
    let new = json!({ "data": {}, "id": text() });
    let old = json!({ "data": {}, "data_id": whole(), "id": text() });
    assert_eq!(columns(old, new.clone()), NOTHING);
    let old = json!({ "data_id": whole(), "data": {}, "id": text() });
    assert_eq!(columns(old, new), ["remove data_id"]);
}

#[test]
fn e09_the_order_of_types_counts() {
    let a = |types: Value| json!({ "a": { "type": types } });
    let (old, new) = (a(json!(["null", "string"])), a(json!(["string", "null"])));
    assert_eq!(columns(old, new), ["update a"]);
}

fn all() -> Value {
    json!({ "id": whole(), "updated": text(), "note": text() })
}

#[test]
fn e10_a_lost_cursor_of_an_incremental_stream_breaks() {
    let old = selected(vec![deduped(all(), json!([["id"]]), json!([]))]);
    let new = selected(vec![stream("s", json!({ "id": whole(), "note": text() }))]);
    let diff = airbyte(&old, &new, &old);
    assert_eq!(lines(&diff), ["remove updated !"]);
    assert_eq!(diff.schema_change(), SchemaChange::Breaking);
}

#[test]
fn e11_lost_cursor_and_key_of_a_full_refresh_do_not_break() {
    let mut entry = deduped(all(), json!([["id"]]), json!([]));
    entry["config"]["syncMode"] = json!("full_refresh");
    entry["config"]["destinationSyncMode"] = json!("overwrite");
    let old = selected(vec![entry]);
    let new = selected(vec![stream("s", json!({ "note": text() }))]);
    let diff = airbyte(&old, &new, &old);
    assert_eq!(lines(&diff), ["remove id", "remove updated"]);
    assert_eq!(diff.schema_change(), SchemaChange::NonBreaking);
}

/// Airbyte's verdict on a source's key that changes from `[[id]]`.
fn rekeyed(configured: Value, source_key: Value) -> Vec<String> {
    let columns = json!({ "id": whole(), "region": text(), "updated": text() });
    let of = |key| selected(vec![deduped(columns.clone(), configured.clone(), key)]);
    let (old, new) = (of(json!([["id"]])), of(source_key));
    lines(&airbyte(&old, &new, &old))
}

#[test]
fn e12_a_source_key_that_grows_breaks() {
    let key = json!([["id"], ["region"]]);
    assert_eq!(rekeyed(json!([["id"]]), key), ["update_primary_key !"]);
}

#[test]
fn e13_a_lost_source_key_does_not_break() {
    let lost = rekeyed(json!([["id"]]), json!([]));
    assert_eq!(lost, ["update_primary_key"]);
}

#[test]
fn e14_a_source_key_that_becomes_the_configured_one_does_not_break() {
    let configured = json!([["region"], ["id"]]);
    let key = json!([["id"], ["region"]]);
    assert_eq!(rekeyed(configured, key), ["update_primary_key"]);
}

#[test]
fn e15_a_cursor_of_another_type_does_not_break() {
    let cursor = |updated: Value| json!({ "id": whole(), "updated": updated });
    let date = json!({ "type": "string", "format": "date-time" });
    let old = selected(vec![deduped(cursor(date), json!([["id"]]), json!([]))]);
    let new = selected(vec![stream("s", cursor(whole()))]);
    assert_eq!(lines(&airbyte(&old, &new, &old)), ["update updated"]);
}
