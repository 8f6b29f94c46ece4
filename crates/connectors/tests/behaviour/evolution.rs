//! Tables whose stream changed, and the way through both connectors.

use serde_json::{Value, json};

use crate::given::{Folder, complete, configured, finish, record, stream, text, whole};

fn declared(folder: &Folder) -> Vec<String> {
    let rows = folder.rows("w.db", "SELECT name || ' ' || type FROM pragma_table_info('t') WHERE name NOT LIKE '\\_airbyte%' ESCAPE '\\'");
    rows.iter()
        .map(|row| row[0].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn columns_come_change_their_type_and_stay_when_they_go() {
    let folder = Folder::new();
    let sync = |columns: Value, data: Value| {
        folder
            .write(
                "w.db",
                &[configured(&stream("t", columns), json!({}))],
                &[record("t", data)],
            )
            .ok();
    };
    sync(
        json!({ "id": whole(), "old": text(), "n": whole() }),
        json!({ "id": 1, "old": "kept", "n": 5 }),
    );
    sync(
        json!({ "id": whole(), "new": text(), "n": text() }),
        json!({ "id": 2, "new": "x", "n": "six" }),
    );
    assert_eq!(
        declared(&folder),
        ["id INTEGER", "old TEXT", "n TEXT", "new TEXT"]
    );
    assert_eq!(
        folder.rows("w.db", "SELECT id, old, n, new FROM t ORDER BY id"),
        [
            [json!(1), json!("kept"), json!("5"), Value::Null],
            [json!(2), Value::Null, json!("six"), json!("x")],
        ]
    );
    sync(
        json!({ "id": whole(), "new": text(), "n": whole() }),
        json!({ "id": 3, "n": 7 }),
    );
    assert_eq!(
        declared(&folder),
        ["id INTEGER", "old TEXT", "n INTEGER", "new TEXT"]
    );
    // What is not a number is kept unchanged instead of being lost.
    assert_eq!(
        folder.rows("w.db", "SELECT n FROM t ORDER BY id"),
        [[json!(5)], [json!("six")], [json!(7)]]
    );
    sync(json!({ "ID": whole() }), json!({ "ID": 4 }));
    assert_eq!(folder.cell("w.db", "SELECT max(id) FROM t"), json!(4));
}

#[test]
fn a_retyped_table_keeps_its_key() {
    let folder = Folder::new();
    let sync = |columns: Value, data: Value| {
        let settings = json!({ "destination_sync_mode": "append_dedup", "primary_key": [["id"]] });
        folder
            .write(
                "w.db",
                &[configured(&stream("t", columns), settings)],
                &[record("t", data)],
            )
            .ok();
    };
    sync(
        json!({ "id": whole(), "n": whole() }),
        json!({ "id": 1, "n": 5 }),
    );
    sync(
        json!({ "id": text(), "n": text() }),
        json!({ "id": "1", "n": "x" }),
    );
    assert_eq!(
        folder.rows("w.db", "SELECT id, n FROM t"),
        [[json!("1"), json!("x")]]
    );
}

#[test]
fn names_of_every_kind_are_tables_and_columns() {
    let folder = Folder::new();
    let name = "näme \"with\"; DROP TABLE x; --'";
    let columns = json!({ "a \"b\"": whole(), "select": text(), "": text(), "Ä": text() });
    let settings = json!({ "destination_sync_mode": "append_dedup", "primary_key": [["a \"b\""]], "cursor_field": ["select"] });
    let streams = [configured(&stream(name, columns), settings)];
    let data = json!({ "a \"b\"": 1, "select": "x", "": "empty", "Ä": "u" });
    folder
        .write(
            "w.db",
            &streams,
            &[record(name, data.clone()), record(name, data)],
        )
        .ok();
    let rows = folder.rows(
        "w.db",
        r#"SELECT "a ""b""", "select", "", "Ä" FROM "näme ""with""; DROP TABLE x; --'" "#,
    );
    assert_eq!(rows, [[json!(1), json!("x"), json!("empty"), json!("u")]]);
}

#[test]
fn a_database_goes_through_both_connectors_cell_by_cell() {
    let folder = Folder::new();
    folder.sql(
        "a.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, n NUMERIC, s TEXT, b BLOB, flag BOOLEAN, d DATE, at TIMESTAMP, x);
         INSERT INTO t VALUES
           (1, 0.1, 12, 'é''\"\\', x'00ff', 1, '2024-01-01', '2024-01-01 10:00:00.5', 'any'),
           (2, 1e-300, 0.30000000000000004, '', x'', 0, NULL, '2024-01-01T10:00:00Z', 5),
           (-9223372036854775808, -0.0, 9007199254740993, 'null', NULL, NULL, '0001-01-01', NULL, 2.5),
           (9223372036854775807, 5e-324, 1.7976931348623157e308, char(0, 1, 127, 8232), zeroblob(3), 1, NULL, NULL, NULL);
         WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO t SELECT i, i / 7.0, i * 1.1, 'row ' || i, randomblob(i % 50), i % 2, NULL, NULL, i * 0.3 FROM n;",
    );
    let discovered = folder.discover("a.db").remove(0);
    let settings = json!({
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup", "cursor_field": ["id"],
        "primary_key": [["id"]],
    });
    let streams = [configured(&discovered, settings)];
    let read = folder.read("a.db", &streams, None).ok();
    let mut lines: Vec<&str> = read.text.lines().collect();
    lines.retain(|line| {
        line.starts_with(r#"{"type":"RECORD""#) || line.starts_with(r#"{"type":"STATE""#)
    });
    let complete = complete("t").to_string();
    lines.push(&complete);
    finish(folder.destination("w.db", &streams), &lines.join("\n")).ok();
    let query = "SELECT id, r, s, b, flag, d, at, x FROM t ORDER BY id";
    let (source, written) = (folder.rows("a.db", query), folder.rows("w.db", query));
    assert_eq!(source.len(), written.len());
    for (source, written) in source.iter().zip(&written) {
        assert_eq!(source, written);
    }
    // `n` is a number: a double, as far as a double can be it.
    let close = "SELECT count(*) FROM t WHERE n IS NULL";
    assert_eq!(
        (folder.cell("a.db", close), folder.cell("w.db", close)),
        (json!(0), json!(1))
    );
}
