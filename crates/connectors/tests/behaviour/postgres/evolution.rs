//! `destination-postgres`: tables whose stream changed.

use serde_json::{Value, json};

use super::given::Database;
use crate::given::{configured, record, stream, text, whole};

fn sync(database: &Database, columns: Value, data: Value) {
    let settings = json!({ "destination_sync_mode": "append_dedup", "primary_key": [["id"]] });
    let streams = [configured(&stream("t", columns), settings)];
    database.write(&streams, &[record("t", data)]).ok();
}

fn declared(database: &Database) -> Vec<String> {
    database.lines(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass \
         AND attnum > 0 AND NOT starts_with(attname, '_airbyte') ORDER BY attnum",
    )
}

#[test]
fn columns_come_change_their_type_and_stay_when_they_go() {
    let database = Database::new("");
    sync(
        &database,
        json!({ "id": whole(), "old": text(), "n": whole() }),
        json!({ "id": 1, "old": "kept", "n": 5 }),
    );
    sync(
        &database,
        json!({ "id": whole(), "new": text(), "n": text() }),
        json!({ "id": 2, "new": "x", "n": "six" }),
    );
    assert_eq!(
        declared(&database),
        ["id|bigint", "old|text", "n|text", "new|text"]
    );
    assert_eq!(
        database.lines("SELECT id, old, n, new FROM t ORDER BY id"),
        ["1|kept|5|-", "2|-|six|x"]
    );
    sync(
        &database,
        json!({ "id": whole(), "n": whole() }),
        json!({ "id": 3, "n": 7 }),
    );
    assert_eq!(declared(&database)[2], "n|bigint");
    // What is not a number becomes null, which the row records.
    assert_eq!(
        database.lines("SELECT id, n FROM t ORDER BY id"),
        ["1|5", "2|-", "3|7"]
    );
    let changed = database.lines("SELECT _airbyte_meta #>> '{changes,0,field}', _airbyte_meta #>> '{changes,0,reason}' FROM t ORDER BY id");
    assert_eq!(changed, ["-|-", "n|DESTINATION_TYPECAST_ERROR", "-|-"]);
}

#[test]
fn a_column_takes_any_type_from_any_other() {
    let moment = json!({ "type": "string", "format": "date-time" });
    let cases = [
        (whole(), json!(5), json!({ "type": "number" }), "5"),
        (json!({ "type": "number" }), json!(5.0), whole(), "5"),
        (json!({ "type": "number" }), json!(5.5), whole(), "-"),
        (json!({ "type": "object" }), json!("x"), text(), "x"),
        (text(), json!("x"), json!({ "type": "object" }), "x"),
        (json!({ "type": "object" }), json!(12), whole(), "12"),
        (
            text(),
            json!("2024-01-01T10:00:00Z"),
            moment.clone(),
            "2024-01-01T10:00:00+00:00",
        ),
        (text(), json!("soon"), moment.clone(), "-"),
        (
            moment,
            json!("2024-01-01T10:00:00Z"),
            json!({ "type": "string", "format": "date" }),
            "2024-01-01",
        ),
        (json!({ "type": "boolean" }), json!(true), text(), "true"),
        (
            json!({ "type": "string", "contentEncoding": "base64" }),
            json!("/w=="),
            text(),
            "/w==",
        ),
        (whole(), json!(1), json!({ "type": "boolean" }), "true"),
    ];
    let database = Database::new("");
    for (was, value, becomes, expected) in cases {
        database.sql("DROP TABLE IF EXISTS t");
        sync(
            &database,
            json!({ "id": whole(), "c": was }),
            json!({ "id": 1, "c": value }),
        );
        sync(
            &database,
            json!({ "id": whole(), "c": becomes }),
            json!({ "id": 2 }),
        );
        let cell = database.lines("SELECT c FROM t WHERE id = 1");
        assert_eq!(cell, [expected], "{was} {value} {becomes}");
    }
}

#[test]
fn a_key_whose_type_changes_stays_unique() {
    let database = Database::new("");
    let of = |kind: Value| json!({ "id": kind, "v": text() });
    sync(&database, of(text()), json!({ "id": "1", "v": "a" }));
    sync(&database, of(text()), json!({ "id": "01", "v": "b" }));
    sync(&database, of(whole()), json!({ "id": 2, "v": "c" }));
    sync(&database, of(whole()), json!({ "id": 1, "v": "d" }));
    assert_eq!(
        database.lines("SELECT id, v FROM t ORDER BY id"),
        ["1|d", "2|c"]
    );
}

#[test]
fn a_view_that_blocks_a_change_is_reported() {
    let database = Database::new("");
    sync(
        &database,
        json!({ "id": whole(), "n": whole() }),
        json!({ "id": 1, "n": 5 }),
    );
    database.sql("CREATE VIEW mine AS SELECT n FROM t");
    let streams = [configured(
        &stream("t", json!({ "id": whole(), "n": text() })),
        json!({}),
    )];
    let run = database.write(&streams, &[record("t", json!({ "id": 2, "n": "six" }))]);
    assert_eq!(run.code, 1);
    let error = run.error();
    assert_eq!(error["failure_type"], "config_error");
    assert_eq!(
        error["message"],
        "column n of \"public\".\"t\" is bigint and has to become text: PostgreSQL refuses: \
         cannot alter type of a column used by a view or rule"
    );
    assert_eq!(database.lines("SELECT n FROM mine"), ["5"]);
}
