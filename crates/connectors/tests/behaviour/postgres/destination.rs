//! `destination-postgres`: tables, values, keys, states.

use std::io::{BufRead as _, BufReader, Write as _};

use serde_json::{Value, json};

use super::given::Database;
use crate::given::{complete, configured, record, record_at, state, stream, text, whole};

#[test]
fn records_become_typed_rows_with_their_meta_columns() {
    let database = Database::new("");
    let moment =
        |kind: &str| json!({ "type": "string", "format": "date-time", "airbyte_type": kind });
    let columns = json!({
        "id": whole(), "name": text(), "price": { "type": "number" }, "paid": { "type": "boolean" },
        "tags": { "type": "array" }, "photo": { "type": "string", "contentEncoding": "base64" }, "any": {},
        "day": { "type": "string", "format": "date" }, "at": moment("timestamp_with_timezone"),
        "local": moment("timestamp_without_timezone"), "time": { "type": "string", "format": "time" },
    });
    let streams = [configured(
        &stream("orders", columns),
        json!({ "generation_id": 3 }),
    )];
    let first = json!({
        "id": 1, "name": "é \"x\"\t\\N\n", "price": 2.50, "paid": true, "tags": [1, { "a": null }], "photo": "/wA=",
        "any": "7", "day": "2024-02-29", "at": "2024-02-29T10:00:00.5+02:00", "local": "2024-02-29T10:00:00",
        "time": "10:00:00", "unknown": "ignored",
    });
    let mut second = record(
        "orders",
        json!({
            "id": 9_223_372_036_854_775_808_u64, "price": "x", "name": "a\u{0}b", "any": { "a": "\u{0}" },
            "day": "2023-02-29", "at": "infinity", "paid": 2, "photo": "!",
        }),
    );
    second["record"]["meta"] = json!({ "changes": [{ "field": "time", "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR" }] });
    database
        .write(&streams, &[record("orders", first), second])
        .ok();
    let rows = database.lines(
        "SELECT id, name, price, paid, tags, encode(photo, 'hex'), \"any\", day, at, local, time FROM orders ORDER BY id NULLS LAST",
    );
    assert_eq!(
        rows,
        [
            "1|é \"x\"\t\\N\n|2.5|true|[1, {\"a\": null}]|ff00|7|2024-02-29|2024-02-29T08:00:00.5+00:00|2024-02-29T10:00:00|10:00:00",
            "-|-|-|-|-|-|-|-|-|-|-",
        ]
    );
    let own = database.rows(
        "SELECT length(_airbyte_raw_id), _airbyte_extracted_at, _airbyte_generation_id, _airbyte_meta FROM orders ORDER BY id NULLS LAST",
    );
    let first: Vec<&str> = own[0].iter().map(|cell| cell.as_deref().unwrap()).collect();
    assert_eq!(
        first,
        [
            "36",
            "2023-11-14T22:13:20+00:00",
            "3",
            r#"{"changes": [], "sync_id": 7}"#
        ]
    );
    let meta: Value = serde_json::from_str(own[1][3].as_ref().unwrap()).unwrap();
    let fields: Vec<&str> = meta["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "time", "id", "price", "name", "any", "day", "at", "paid", "photo"
        ]
    );
    assert_eq!(meta["changes"][1]["reason"], "DESTINATION_TYPECAST_ERROR");
}

fn deduped(key: Value, cursor: Value) -> [Value; 1] {
    let columns = json!({
        "id": whole(), "part": text(), "at": text(), "v": text(), "o": { "type": "object" },
        "_ab_cdc_deleted_at": text(),
    });
    let settings = json!({
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup", "primary_key": key,
        "cursor_field": cursor,
    });
    [configured(&stream("t", columns), settings)]
}

fn values(database: &Database) -> Vec<String> {
    database.lines("SELECT v FROM t ORDER BY v")
}

#[test]
fn the_newest_row_of_a_key_stays_by_cursor_then_by_time_then_by_arrival() {
    let database = Database::new("");
    let streams = deduped(json!([["id"], ["part"]]), json!(["at"]));
    let row = |id: i64, at: Value, emitted: i64, v: &str| {
        record_at(
            "t",
            emitted,
            json!({ "id": id, "part": "p", "at": at, "v": v }),
        )
    };
    database
        .write(
            &streams,
            &[
                row(1, json!("b"), 5, "1 newest by cursor"),
                row(1, json!("a"), 9, "1 old"),
                row(2, json!("a"), 5, "2 old"),
                row(2, json!("a"), 6, "2 newest by time"),
                row(3, json!("a"), 5, "3 first"),
                row(3, json!("a"), 5, "3 last to arrive"),
                row(4, Value::Null, 9, "4 without a cursor"),
                row(4, json!("a"), 1, "4 with a cursor"),
            ],
        )
        .ok();
    let newest = [
        "1 newest by cursor",
        "2 newest by time",
        "3 last to arrive",
        "4 with a cursor",
    ];
    assert_eq!(values(&database), newest);
    // The same rules hold against what is there.
    database
        .write(
            &streams,
            &[
                row(1, json!("a"), 10, "1 older"),
                row(2, json!("a"), 6, "2 the same again"),
                row(3, json!("b"), 1, "3 newer"),
                row(4, Value::Null, 10, "4 without a cursor again"),
            ],
        )
        .ok();
    let newest = [
        "1 newest by cursor",
        "2 the same again",
        "3 newer",
        "4 with a cursor",
    ];
    assert_eq!(values(&database), newest);
}

#[test]
fn nulls_in_a_key_are_one_key_and_deleted_rows_go() {
    let database = Database::new("");
    let streams = deduped(json!([["id"], ["part"]]), json!([]));
    let row = |part: Value, v: &str| record("t", json!({ "id": 1, "part": part, "v": v }));
    database
        .write(
            &streams,
            &[
                row(Value::Null, "a"),
                row(Value::Null, "b"),
                row(json!("x"), "c"),
            ],
        )
        .ok();
    database.write(&streams, &[row(Value::Null, "d")]).ok();
    assert_eq!(values(&database), ["c", "d"]);
    let deleted = json!({ "id": 1, "part": "x", "_ab_cdc_deleted_at": "2024-01-01T00:00:00Z" });
    database.write(&streams, &[record("t", deleted)]).ok();
    assert_eq!(values(&database), ["d"]);
}

#[test]
fn keys_and_cursors_may_lie_inside_objects() {
    let database = Database::new("");
    let streams = deduped(json!([["o", "it's"]]), json!(["o", "at"]));
    let row =
        |key: i64, at: i64, v: &str| record("t", json!({ "o": { "it's": key, "at": at }, "v": v }));
    database
        .write(&streams, &[row(1, 10, "a"), row(1, 9, "b"), row(2, 1, "c")])
        .ok();
    database
        .write(&streams, &[row(2, 2, "d"), row(1, 2, "e")])
        .ok();
    assert_eq!(values(&database), ["a", "d"]);
}

#[test]
fn an_append_that_becomes_deduplicated_removes_its_duplicates_once() {
    let database = Database::new("");
    let append = [configured(
        &stream("t", json!({ "id": whole(), "v": text() })),
        json!({}),
    )];
    let row = |v: &str| record("t", json!({ "id": 1, "v": v }));
    database.write(&append, &[row("a"), row("b")]).ok();
    database
        .write(&deduped(json!([["id"]]), json!([])), &[row("c")])
        .ok();
    assert_eq!(values(&database), ["c"]);
    database.write(&append, &[row("d")]).ok();
    assert_eq!(values(&database), ["c", "d"]);
}

#[test]
fn schemas_are_created_and_names_kept_distinct() {
    let database = Database::new("");
    let long = "a_name_that_is_longer_than_the_server_allows_for_any_table_or_column_of_it";
    let mut streams: Vec<Value> = [
        format!("{long}_1"),
        format!("{long}_2"),
        "Mixed Case\"; DROP".to_owned(),
    ]
    .iter()
    .map(|name| {
        configured(
            &stream(
                name,
                json!({ "id": whole(), "ID": whole(), "xmin": whole() }),
            ),
            json!({}),
        )
    })
    .collect();
    let namespace = "My \"Schema\"";
    for stream in &mut streams {
        stream["stream"]["namespace"] = json!(namespace);
    }
    let rows: Vec<Value> = streams
        .iter()
        .map(|stream| {
            let mut row = record(
                stream["stream"]["name"].as_str().unwrap(),
                json!({ "id": 1, "ID": 2, "xmin": 3 }),
            );
            row["record"]["namespace"] = json!(namespace);
            row
        })
        .collect();
    database.write(&streams, &rows).ok();
    let made = database.lines("SELECT tablename FROM pg_tables WHERE schemaname = 'My \"Schema\"'");
    assert_eq!(made.len(), 3, "{made:?}");
    let row = database
        .lines("SELECT id, \"ID\", xmin_1 FROM \"My \"\"Schema\"\"\".\"Mixed Case\"\"; DROP\"");
    assert_eq!(row, ["1|2|3"]);
}

#[test]
fn what_others_made_is_not_touched() {
    let database = Database::new(
        "CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT 1 AS id",
    );
    for name in ["t", "v"] {
        let streams = [configured(
            &stream(name, json!({ "id": whole() })),
            json!({ "minimum_generation_id": 1 }),
        )];
        let run = database.write(
            &streams,
            &[record(name, json!({ "id": 2 })), complete(name)],
        );
        assert_eq!(run.code, 1);
        assert!(
            run.error()["message"]
                .as_str()
                .unwrap()
                .contains("was not written by this destination")
        );
    }
    assert_eq!(database.lines("SELECT id FROM t"), ["1"]);
}

#[test]
fn a_check_leaves_nothing_behind_and_reports_what_is_missing() {
    let database = Database::new("");
    let config = database.config_with(json!({ "schema": "new_one" }));
    let status = |config: &Value| {
        let run = database
            .command("destination-postgres", "check", config)
            .ok();
        run.of("CONNECTION_STATUS", "connectionStatus").remove(0)
    };
    assert_eq!(status(&config)["status"], "SUCCEEDED");
    assert!(
        database
            .lines("SELECT 1 FROM pg_namespace WHERE nspname = 'new_one'")
            .is_empty()
    );
    let role = format!("writer_of_{}", database.name);
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw'"));
    let poor = status(&database.config_with(json!({ "username": role, "password": "pw" })));
    database.sql(&format!("DROP ROLE {role}"));
    let said = poor["message"].as_str().unwrap();
    assert!(
        said.starts_with(&format!(
            "\"username\" or \"schema\": user {role} cannot make a table in schema public"
        )),
        "{said}"
    );
}

#[test]
fn a_killed_destination_has_what_it_acknowledged_and_resumes() {
    for mode in ["append", "append_dedup"] {
        let database = Database::new("");
        let settings = json!({ "sync_mode": "incremental", "destination_sync_mode": mode, "primary_key": [["id"]] });
        let streams = [configured(
            &stream("t", json!({ "id": whole(), "v": text() })),
            settings,
        )];
        let rows = |ids: std::ops::Range<i64>| -> Vec<Value> {
            ids.map(|id| record("t", json!({ "id": id, "v": "x".repeat(200) })))
                .collect()
        };
        let mut child = database.destination(&streams);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut send = |messages: Vec<Value>| {
            for message in messages {
                writeln!(stdin, "{message}").unwrap();
            }
            stdin.flush().unwrap();
        };
        send(rows(0..1500));
        send(vec![state("t", json!({ "upto": 1500 }))]);
        let mut echo = String::new();
        stdout.read_line(&mut echo).unwrap();
        let echo: Value = serde_json::from_str(&echo).unwrap();
        assert_eq!(
            echo["state"]["stream"]["stream_state"],
            json!({ "upto": 1500 })
        );
        assert_eq!(
            echo["state"]["destinationStats"]["recordCount"],
            json!(1500.0)
        );
        // Before any more is sent, what was acknowledged can be read by others.
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["1500"]);
        send(rows(1500..30_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = rows(1500..3000);
        rest.extend([state("t", json!({ "upto": 3000 })), complete("t")]);
        let run = database.write(&streams, &rest).ok();
        assert_eq!(run.states().len(), 1);
        assert_eq!(
            database.lines("SELECT count(DISTINCT id) FROM t WHERE id < 3000"),
            ["3000"]
        );
        assert_eq!(
            database.lines("SELECT count(*) FROM t WHERE id < 3000"),
            ["3000"]
        );
    }
}
