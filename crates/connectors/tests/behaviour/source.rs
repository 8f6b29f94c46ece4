//! Discovering and reading whole tables.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::given::{Folder, configured, execute};

fn named<'a>(streams: &'a [Value], name: &str) -> &'a Value {
    streams
        .iter()
        .find(|stream| stream["name"] == name)
        .unwrap()
}

#[test]
fn tables_and_views_are_streams_with_their_types_and_keys() {
    let folder = Folder::new();
    folder.sql(
        "shop.db",
        r#"CREATE TABLE "Orders & more" (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10,2),
             paid BOOLEAN, day DATE, at TIME, updated_at TIMESTAMP, zoned TIMESTAMPTZ, photo BLOB, free, "größe ""x""" REAL);
           CREATE TABLE lines (pos INT, order_id TEXT, note TEXT, PRIMARY KEY (order_id, pos)) WITHOUT ROWID;
           CREATE TABLE plain (updated_at TEXT);
           CREATE VIEW totals AS SELECT count(*) AS n, max(price) AS top FROM "Orders & more";
           CREATE VIEW broken AS SELECT missing FROM plain;
           CREATE VIRTUAL TABLE search USING fts5(body);"#,
    );
    let streams = folder.discover("shop.db");
    let names: Vec<&str> = streams
        .iter()
        .map(|stream| stream["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["Orders & more", "lines", "plain", "search", "totals"]
    );
    let orders = named(&streams, "Orders & more");
    assert_eq!(
        orders["json_schema"]["properties"],
        json!({
            "id": { "type": "integer" },
            "name": { "type": "string" },
            "price": { "type": ["null", "number"] },
            "paid": { "type": ["null", "boolean"] },
            "day": { "type": ["null", "string"], "format": "date" },
            "at": { "type": ["null", "string"], "format": "time", "airbyte_type": "time_without_timezone" },
            "updated_at": { "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_without_timezone" },
            "zoned": { "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone" },
            "photo": { "type": ["null", "string"], "contentEncoding": "base64" },
            "free": { "type": ["null", "integer", "number", "string"] },
            "größe \"x\"": { "type": ["null", "number"] },
        })
    );
    assert_eq!(orders["source_defined_primary_key"], json!([["id"]]));
    assert_eq!(orders["default_cursor_field"], json!(["updated_at"]));
    assert_eq!(orders["source_defined_cursor"], false);
    assert_eq!(
        orders["supported_sync_modes"],
        json!(["full_refresh", "incremental"])
    );
    let lines = named(&streams, "lines");
    assert_eq!(
        lines["source_defined_primary_key"],
        json!([["order_id"], ["pos"]])
    );
    assert_eq!(
        lines["json_schema"]["properties"]["pos"],
        json!({ "type": "integer" })
    );
    let plain = named(&streams, "plain");
    assert_eq!(
        (
            &plain["default_cursor_field"],
            &plain["source_defined_primary_key"]
        ),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn rows_become_records_and_values_that_do_not_fit_are_reported() {
    let folder = Folder::new();
    folder.sql(
        "shop.db",
        r#"CREATE TABLE "t ""x""" (id INTEGER PRIMARY KEY, n INTEGER, day DATE, flag BOOLEAN, bytes BLOB, free, ratio REAL);
           INSERT INTO "t ""x""" VALUES (1, 5, '2024-01-01', 1, x'ff00', 'a', 0.1),
             (2, 'n/a', 'never', 7, 'text', 3, 1e999), (3, NULL, NULL, NULL, NULL, NULL, NULL);"#,
    );
    let streams = folder.discover("shop.db");
    let run = folder
        .read("shop.db", &[configured(&streams[0], json!({}))], None)
        .ok();
    assert_eq!(
        run.records(),
        [
            json!({ "id": 1, "n": 5, "day": "2024-01-01", "flag": true, "bytes": "/wA=", "free": "a", "ratio": 0.1 }),
            json!({ "id": 2, "n": null, "day": null, "flag": null, "bytes": "dGV4dA==", "free": 3, "ratio": null }),
            json!({ "id": 3, "n": null, "day": null, "flag": null, "bytes": null, "free": null, "ratio": null }),
        ]
    );
    let records = run.of("RECORD", "record");
    assert_eq!(records[0]["stream"], "t \"x\"");
    assert!(records[0]["emitted_at"].as_i64().unwrap() > 1_600_000_000_000);
    assert_eq!(records[0].get("meta"), None);
    let changed: Vec<&str> = records[1]["meta"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            assert_eq!(
                (&change["change"], &change["reason"]),
                (&json!("NULLED"), &json!("SOURCE_SERIALIZATION_ERROR"))
            );
            change["field"].as_str().unwrap()
        })
        .collect();
    assert_eq!(changed, ["n", "day", "flag", "ratio"]);
    assert_eq!(
        run.statuses(),
        ["t \"x\" STARTED", "t \"x\" RUNNING", "t \"x\" COMPLETE"]
    );
    let traces = run.of("TRACE", "trace");
    let estimate = traces
        .iter()
        .find(|trace| trace["type"] == "ESTIMATE")
        .unwrap();
    assert_eq!(estimate["estimate"]["row_estimate"], 3);
}

#[test]
fn only_configured_columns_are_read() {
    let folder = Folder::new();
    folder.sql(
        "a.db",
        "CREATE TABLE t (a INT, b INT, c INT); INSERT INTO t VALUES (1, 2, 3)",
    );
    let mut stream = folder.discover("a.db").remove(0);
    stream["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("b");
    stream["json_schema"]["properties"]["gone"] = json!({ "type": "string" });
    let run = folder
        .read("a.db", &[configured(&stream, json!({}))], None)
        .ok();
    assert_eq!(run.records(), [json!({ "a": 1, "c": 3 })]);
}

#[test]
fn a_missing_stream_fails_after_the_others_were_read() {
    let folder = Folder::new();
    folder.sql(
        "a.db",
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1); CREATE TABLE gone (a INT)",
    );
    let streams = folder.discover("a.db");
    folder.sql("a.db", "DROP TABLE gone");
    let all: Vec<Value> = streams
        .iter()
        .map(|stream| configured(stream, json!({})))
        .collect();
    let run = folder.read("a.db", &all, None);
    assert_eq!(run.code, 1);
    assert_eq!(run.records().len(), 1);
    assert_eq!(
        run.statuses(),
        [
            "gone STARTED",
            "gone INCOMPLETE",
            "t STARTED",
            "t RUNNING",
            "t COMPLETE"
        ]
    );
    assert_eq!(run.error()["failure_type"], "config_error");
    let first = run
        .of("TRACE", "trace")
        .into_iter()
        .find(|trace| trace["type"] == "ERROR")
        .unwrap();
    assert_eq!(first["error"]["stream_descriptor"]["name"], "gone");
}

#[test]
fn all_streams_are_of_one_moment() {
    let folder = Folder::new();
    let wide = "x".repeat(1000);
    folder.sql(
        "a.db",
        &format!(
            "PRAGMA journal_mode = WAL; CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT);
             CREATE TABLE b (id INTEGER PRIMARY KEY); INSERT INTO b VALUES (1);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO a SELECT i, '{wide}' FROM n;"
        ),
    );
    let streams = folder.discover("a.db");
    let all: Vec<Value> = streams
        .iter()
        .map(|stream| configured(stream, json!({})))
        .collect();
    folder.file("catalog.json", &json!({ "streams": all }).to_string());
    let args = [
        "read",
        "--config",
        "config.json",
        "--catalog",
        "catalog.json",
    ];
    let mut child = folder.command("source-sqlite", &args).spawn().unwrap();
    // Three megabytes do not fit the pipe: the reader is within its first stream until we read on.
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0_u8; 4096];
    stdout.read_exact(&mut first).unwrap();
    execute(
        &folder.path("a.db"),
        "INSERT INTO b VALUES (2); DELETE FROM a WHERE id > 2000;",
    );
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        rest.lines()
            .filter(|line| line.contains(r#""stream":"b""#))
            .count(),
        1
    );
    assert!(rest.contains(r#""id":3000"#));
}

#[test]
fn a_database_without_its_log_can_be_read_and_is_not_changed() {
    let folder = Folder::new();
    folder.sql(
        "a.db",
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a INT); INSERT INTO t VALUES (1)",
    );
    let before = std::fs::read(folder.path("a.db")).unwrap();
    let streams = folder.discover("a.db");
    assert_eq!(
        folder
            .read("a.db", &[configured(&streams[0], json!({}))], None)
            .ok()
            .records()
            .len(),
        1
    );
    assert_eq!(std::fs::read(folder.path("a.db")).unwrap(), before);
}
