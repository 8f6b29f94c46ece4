//! Writing: tables, values, keys, states.

use serde_json::{Value, json};

use crate::given::{Folder, configured, record, record_at, stream, text, whole};

#[test]
fn records_become_typed_rows_with_their_meta_columns() {
    let folder = Folder::new();
    let columns = json!({
        "id": whole(), "name": text(), "price": { "type": "number" }, "paid": { "type": "boolean" },
        "tags": { "type": "array" }, "photo": { "type": "string", "contentEncoding": "base64" }, "any": {},
    });
    let streams = [configured(
        &stream("orders", columns),
        json!({ "generation_id": 3 }),
    )];
    let first = json!({
        "id": 1, "name": "é \"x\"\u{0}", "price": 2, "paid": true, "tags": [1, { "a": null }], "photo": "/wA=",
        "any": 7, "unknown": "ignored",
    });
    let mut second = record(
        "orders",
        json!({ "id": 9_223_372_036_854_775_808_u64, "price": "x", "name": 5, "any": "7" }),
    );
    second["record"]["meta"] = json!({ "changes": [{ "field": "name", "change": "TRUNCATED", "reason": "SOURCE_FIELD_SIZE_LIMITATION" }] });
    folder
        .write("w.db", &streams, &[record("orders", first), second])
        .ok();
    let rows = folder.rows(
        "w.db",
        "SELECT id, name, price, paid, tags, photo, any FROM orders ORDER BY rowid",
    );
    assert_eq!(
        rows,
        [
            vec![
                json!(1),
                json!("é \"x\"\u{0}"),
                json!(2.0),
                json!(1),
                json!(r#"[1,{"a":null}]"#),
                json!({ "blob": [255, 0] }),
                json!(7)
            ],
            vec![
                Value::Null,
                json!("5"),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                json!("7")
            ],
        ]
    );
    let own = folder.rows(
        "w.db",
        "SELECT length(_airbyte_raw_id), _airbyte_extracted_at, _airbyte_meta, _airbyte_generation_id FROM orders ORDER BY rowid",
    );
    assert_eq!(
        own[0],
        [
            json!(36),
            json!("2023-11-14T22:13:20.000Z"),
            json!(r#"{"sync_id":7,"changes":[]}"#),
            json!(3)
        ]
    );
    let meta: Value = serde_json::from_str(own[1][2].as_str().unwrap()).unwrap();
    assert_eq!(
        meta["changes"],
        json!([
            { "field": "name", "change": "TRUNCATED", "reason": "SOURCE_FIELD_SIZE_LIMITATION" },
            { "field": "id", "change": "NULLED", "reason": "DESTINATION_TYPECAST_ERROR" },
            { "field": "price", "change": "NULLED", "reason": "DESTINATION_TYPECAST_ERROR" },
        ])
    );
    assert_eq!(
        folder.cell("w.db", "SELECT count(DISTINCT _airbyte_raw_id) FROM orders"),
        json!(2)
    );
}

#[test]
fn append_keeps_every_row_of_every_sync() {
    let folder = Folder::new();
    let streams = [configured(
        &stream("t", json!({ "id": whole() })),
        json!({}),
    )];
    for _ in 0..2 {
        folder
            .write(
                "w.db",
                &streams,
                &[
                    record("t", json!({ "id": 1 })),
                    record("t", json!({ "id": 1 })),
                ],
            )
            .ok();
    }
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM t"), json!(4));
}

fn deduped(key: Value, cursor: Value) -> [Value; 1] {
    let columns = json!({ "id": whole(), "part": text(), "at": text(), "v": text(), "_ab_cdc_deleted_at": text() });
    [configured(
        &stream("t", columns),
        json!({
            "sync_mode": "incremental", "destination_sync_mode": "append_dedup", "primary_key": key, "cursor_field": cursor,
        }),
    )]
}

fn values(folder: &Folder) -> Vec<String> {
    let rows = folder.rows("w.db", "SELECT v FROM t ORDER BY v");
    rows.into_iter()
        .map(|mut row| row.remove(0).as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_newest_row_of_a_key_wins_by_cursor_then_by_time() {
    let folder = Folder::new();
    let streams = deduped(json!([["id"]]), json!(["at"]));
    let row = |at: Value, v: &str| record("t", json!({ "id": 1, "at": at, "v": v }));
    folder
        .write(
            "w.db",
            &streams,
            &[
                row(json!("2024-02"), "newest"),
                row(json!("2024-01"), "older"),
                row(Value::Null, "no cursor"),
            ],
        )
        .ok();
    assert_eq!(values(&folder), ["newest"]);
    folder
        .write("w.db", &streams, &[row(json!("2024-01"), "late and older")])
        .ok();
    assert_eq!(values(&folder), ["newest"]);
    let earlier = record_at(
        "t",
        1_600_000_000_000,
        json!({ "id": 1, "at": "2024-02", "v": "extracted before" }),
    );
    folder.write("w.db", &streams, &[earlier]).ok();
    assert_eq!(values(&folder), ["newest"]);
    folder
        .write("w.db", &streams, &[row(json!("2024-02"), "again")])
        .ok();
    assert_eq!(values(&folder), ["again"]);
    folder
        .write("w.db", &streams, &[row(json!("2024-03"), "newer")])
        .ok();
    assert_eq!(values(&folder), ["newer"]);
}

#[test]
fn keys_of_several_parts_nulls_included_are_one_row_each() {
    let folder = Folder::new();
    let streams = deduped(json!([["id"], ["part"]]), json!(["at"]));
    let row = |id: Value, part: Value, at: &str, v: &str| {
        record("t", json!({ "id": id, "part": part, "at": at, "v": v }))
    };
    for round in ["1", "2"] {
        folder
            .write(
                "w.db",
                &streams,
                &[
                    row(json!(1), json!("a"), round, "1a"),
                    row(json!(1), json!("b"), round, "1b"),
                    row(json!(1), Value::Null, round, "1-"),
                    row(Value::Null, json!("a"), round, "-a"),
                    row(json!(1), Value::Null, "0", "old"),
                ],
            )
            .ok();
    }
    assert_eq!(values(&folder), ["-a", "1-", "1a", "1b"]);
    let cursors = folder.rows("w.db", "SELECT DISTINCT at FROM t");
    assert_eq!(cursors, [[json!("2")]]);
}

#[test]
fn a_key_inside_an_object_is_a_key() {
    let folder = Folder::new();
    let columns = json!({ "ref": { "type": "object" }, "v": text() });
    let streams = [configured(
        &stream("t", columns),
        json!({
            "destination_sync_mode": "append_dedup", "primary_key": [["ref", "the id"]],
        }),
    )];
    let row = |id: Value, v: &str| record("t", json!({ "ref": { "the id": id }, "v": v }));
    folder
        .write(
            "w.db",
            &streams,
            &[
                row(json!(1), "a"),
                row(json!(2), "b"),
                row(json!(1), "c"),
                row(Value::Null, "n"),
                row(Value::Null, "m"),
            ],
        )
        .ok();
    assert_eq!(values(&folder), ["b", "c", "m"]);
}

#[test]
fn a_deleted_row_is_removed() {
    let folder = Folder::new();
    let streams = deduped(json!([["id"]]), json!(["at"]));
    let row = |id: i64, deleted: Value| {
        record(
            "t",
            json!({ "id": id, "at": "1", "v": "x", "_ab_cdc_deleted_at": deleted }),
        )
    };
    folder
        .write(
            "w.db",
            &streams,
            &[row(1, Value::Null), row(2, Value::Null)],
        )
        .ok();
    folder
        .write(
            "w.db",
            &streams,
            &[row(1, json!("2024-01-01")), row(3, json!("2024-01-01"))],
        )
        .ok();
    assert_eq!(folder.rows("w.db", "SELECT id FROM t"), [[json!(2)]]);
}

#[test]
fn appended_rows_are_deduplicated_once_a_key_is_configured() {
    let folder = Folder::new();
    let columns = json!({ "id": whole(), "part": text(), "at": text(), "v": text(), "_ab_cdc_deleted_at": text() });
    let append = [configured(&stream("t", columns), json!({}))];
    let row = |id: i64, part: &str, at: &str, v: &str| {
        record("t", json!({ "id": id, "part": part, "at": at, "v": v }))
    };
    folder
        .write(
            "w.db",
            &append,
            &[
                row(1, "a", "2", "new"),
                row(1, "b", "1", "old"),
                row(2, "a", "1", "other"),
            ],
        )
        .ok();
    let by_id = deduped(json!([["id"]]), json!(["at"]));
    folder
        .write("w.db", &by_id, &[row(2, "a", "2", "other 2")])
        .ok();
    assert_eq!(values(&folder), ["new", "other 2"]);
    let by_part = deduped(json!([["part"]]), json!(["at"]));
    folder
        .write("w.db", &by_part, &[row(3, "b", "3", "b")])
        .ok();
    assert_eq!(values(&folder).len(), 2);
    folder.write("w.db", &append, &[row(3, "b", "3", "b")]).ok();
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM t"), json!(3));
}
