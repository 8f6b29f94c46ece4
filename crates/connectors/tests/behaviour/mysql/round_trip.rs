//! From MySQL to PostgreSQL and SQLite: what arrives is what was there, cell by cell.

use serde_json::{Value, json};

use super::given::Database;
use crate::given::{Run, complete, configured, finish};
use crate::postgres::given::Database as Postgres;

/// The read's records and states, as lines for a destination whose streams have no namespace.
pub(super) fn lines(run: &Run, database: &Database) -> String {
    let namespace = format!(",\"namespace\":\"{}\"", database.name);
    let is_data = |line: &&str| {
        line.starts_with(r#"{"type":"RECORD""#) || line.starts_with(r#"{"type":"STATE""#)
    };
    let lines = run.text.lines().filter(is_data);
    lines
        .map(|line| line.replacen(&namespace, "", 1) + "\n")
        .collect()
}

pub(super) fn copied(stream: &Value, settings: Value) -> Value {
    let mut stream = stream.clone();
    stream.as_object_mut().unwrap().remove("namespace");
    configured(&stream, settings)
}

/// Type, value in SQL, the copy as PostgreSQL writes it, the copy in SQLite.
pub(super) type Case = (&'static str, &'static str, Option<&'static str>, Value);

pub(super) fn cases() -> Vec<Case> {
    let text = |kind, sql, is: &'static str| (kind, sql, Some(is), json!(is));
    vec![
        ("tinyint(1)", "1", Some("true"), json!(1)),
        ("bool", "0", Some("false"), json!(0)),
        ("bit(1)", "b'1'", Some("true"), json!(1)),
        (
            "bit(12)",
            "b'101000000001'",
            Some("\\x0a01"),
            json!({ "blob": [10, 1] }),
        ),
        ("tinyint", "-128", Some("-128"), json!(-128)),
        ("tinyint(3) unsigned zerofill", "7", Some("7"), json!(7)),
        ("smallint unsigned", "65535", Some("65535"), json!(65535)),
        ("mediumint", "-8388608", Some("-8388608"), json!(-8_388_608)),
        (
            "int unsigned",
            "4294967295",
            Some("4294967295"),
            json!(4_294_967_295_i64),
        ),
        (
            "bigint",
            "-9223372036854775808",
            Some("-9223372036854775808"),
            json!(i64::MIN),
        ),
        text(
            "bigint unsigned",
            "18446744073709551615",
            "18446744073709551615",
        ),
        (
            "decimal(40,10)",
            "-123456789012345678901234567890.1234567890",
            Some("-123456789012345678901234567890.1234567890"),
            json!(-1.234_567_890_123_456_8e29),
        ),
        ("decimal(12,2) zerofill", "1.1", Some("1.10"), json!(1.1)),
        ("float", "0.1", Some("0.1"), json!(0.1)),
        ("double", "5e-324", None, json!(5e-324)),
        (
            "double",
            "0.30000000000000004",
            Some("0.30000000000000004"),
            json!(0.300_000_000_000_000_04),
        ),
        (
            "date",
            "'2024-02-29'",
            Some("2024-02-29"),
            json!("2024-02-29"),
        ),
        (
            "datetime",
            "'1000-01-01 00:00:00'",
            Some("1000-01-01 00:00:00"),
            json!("1000-01-01T00:00:00"),
        ),
        (
            "datetime(6)",
            "'9999-12-31 23:59:59.999999'",
            Some("9999-12-31 23:59:59.999999"),
            json!("9999-12-31T23:59:59.999999"),
        ),
        (
            "timestamp(3) null",
            "from_unixtime(1700000000.123)",
            Some("2023-11-14 22:13:20.123+00"),
            json!("2023-11-14T22:13:20.123Z"),
        ),
        (
            "time(2)",
            "'23:59:59.99'",
            Some("23:59:59.99"),
            json!("23:59:59.99"),
        ),
        ("year", "2155", Some("2155"), json!(2155)),
        text("char(5)", "'c'", "c"),
        text(
            "varchar(40)",
            "concat('tab\\tline\\nback\\\\slash \"quote\" ', _utf8mb4 X'F09F9880')",
            "tab\tline\nback\\slash \"quote\" \u{1F600}",
        ),
        text(
            "varchar(20) character set latin1",
            "'caf\u{e9} \u{20ac}'",
            "caf\u{e9} \u{20ac}",
        ),
        text("text character set ucs2", "'\u{4e2d}'", "\u{4e2d}"),
        text("tinytext", "''", ""),
        text("longtext", "'l'", "l"),
        text(
            "json",
            "'{\"b\": [1.10, \"\\\\n\"], \"a\": 1e300}'",
            "{\"b\": [1.10, \"\\n\"], \"a\": 1e300}",
        ),
        text("enum('sad','happy')", "'happy'", "happy"),
        text("set('a','b','c')", "'c,a'", "a,c"),
        (
            "binary(4)",
            "X'00FF'",
            Some("\\x00ff0000"),
            json!({ "blob": [0, 255, 0, 0] }),
        ),
        (
            "varbinary(4)",
            "X'0A5C'",
            Some("\\x0a5c"),
            json!({ "blob": [10, 92] }),
        ),
        ("blob", "X'00'", Some("\\x00"), json!({ "blob": [0] })),
        (
            "point",
            "point(1, 2)",
            Some("\\x000000000101000000000000000000f03f0000000000000040"),
            json!({ "blob": [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 63, 0, 0, 0, 0, 0, 0, 0, 64] }),
        ),
        text(
            "uuid",
            "'2e7406ca-de10-4dcb-9fc3-29ef6342442c'",
            "2e7406ca-de10-4dcb-9fc3-29ef6342442c",
        ),
        text("inet6", "'2001:db8::1'", "2001:db8::1"),
    ]
}

#[test]
fn every_type_arrives_as_it_was() {
    let cases = cases();
    let columns: Vec<String> = (0..cases.len())
        .map(|at| format!("c{at} {}", cases[at].0))
        .collect();
    let values: Vec<&str> = cases.iter().map(|case| case.1).collect();
    let mysql = Database::new(&format!(
        "SET time_zone = '+05:30'; CREATE TABLE t (id int PRIMARY KEY, {}); \
         INSERT INTO t VALUES (1, {}); INSERT INTO t (id) VALUES (2)",
        columns.join(", "),
        values.join(", ")
    ));
    let stream = mysql.stream("t");
    let run = mysql.read(&[configured(&stream, json!({}))], None).ok();
    let input = lines(&run, &mysql) + &format!("{}\n", complete("t"));
    let streams = [copied(&stream, json!({}))];

    let postgres = Postgres::new("");
    finish(postgres.destination(&streams), &input).ok();
    let row = postgres.rows("SELECT * FROM t ORDER BY id");
    let empty = postgres.rows("SELECT count(*) FROM t WHERE id = 2 AND num_nulls(t.*) = 0");
    assert_eq!((row.len(), empty.len()), (2, 1));
    assert_eq!(
        postgres.lines("SELECT DISTINCT _airbyte_meta ->> 'changes' FROM t"),
        ["[]"]
    );
    for (at, (kind, _, expected, _)) in cases.iter().enumerate() {
        let cell = postgres
            .lines(&format!("SELECT c{at}::text FROM t WHERE id = 1"))
            .remove(0);
        if let Some(expected) = expected {
            assert_eq!(cell, *expected, "{kind} in PostgreSQL");
        }
        let absent = postgres.lines(&format!("SELECT c{at} IS NULL FROM t WHERE id = 2"));
        assert_eq!(absent, ["true"], "{kind} without a value in PostgreSQL");
    }

    finish(mysql.folder.destination("copy.db", &streams), &input).ok();
    for (at, (kind, _, _, expected)) in cases.iter().enumerate() {
        let cells = mysql
            .folder
            .rows("copy.db", &format!("SELECT c{at} FROM t ORDER BY id"));
        assert_eq!(
            cells,
            [[expected.clone()], [Value::Null]],
            "{kind} in SQLite"
        );
    }
}

#[test]
fn invalid_dates_become_null_and_are_reported() {
    let database = Database::new(
        "SET sql_mode = 'ALLOW_INVALID_DATES'; \
         CREATE TABLE t (id int PRIMARY KEY, d date NOT NULL, dt datetime NOT NULL, \
         ts timestamp NOT NULL DEFAULT 0, tm time NOT NULL); \
         INSERT INTO t VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '838:59:59'), \
         (2, '2024-00-10', '2023-02-31 10:00:00', 0, '-00:00:01'), \
         (3, '2024-01-10', '2023-02-28 10:00:00', '2024-01-01', '10:00:00')",
    );
    let stream = database.stream("t");
    assert_eq!(
        stream["json_schema"]["properties"]["d"]["type"],
        json!(["null", "string"]),
        "a date that may not be null can be none all the same"
    );
    let run = database.read(&[configured(&stream, json!({}))], None).ok();
    let records = run.of("RECORD", "record");
    for record in &records[..2] {
        let data = &record["data"];
        assert!(
            ["d", "dt", "ts", "tm"].iter().all(|c| data[c].is_null()),
            "{data}"
        );
        let change = |field: &str| json!({ "field": field, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR" });
        assert_eq!(
            record["meta"]["changes"],
            json!([change("d"), change("dt"), change("ts"), change("tm")])
        );
    }
    assert_eq!(records[2]["data"]["dt"], "2023-02-28T10:00:00");
    assert_eq!(records[2]["meta"], Value::Null);
}

#[test]
fn incremental_syncs_under_writes_end_equal() {
    let mysql = Database::new(
        "CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, v varchar(60), n decimal(20,5), \
         updated_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)); \
         INSERT INTO t (v, n) SELECT repeat('x', seq % 50), seq / 7 FROM seq_1_to_20000",
    );
    let postgres = Postgres::new("");
    let settings = json!({
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup", "primary_key": [["id"]],
        "cursor_field": ["updated_at"],
    });
    let stream = mysql.stream("t");
    assert_eq!(stream["default_cursor_field"], json!(["updated_at"]));
    let (from, to) = (
        [configured(&stream, settings.clone())],
        [copied(&stream, settings)],
    );
    let mut state: Option<Value> = None;
    for round in 0..4 {
        let run = std::thread::scope(|scope| {
            // There are no writers in the last round.
            let writing = (round < 3).then(|| {
                scope.spawn(|| {
                    for n in 0..40 {
                        mysql.sql(&format!(
                            "UPDATE t SET v = 'changed {round}', updated_at = current_timestamp(6) WHERE id % 1000 = {n}; \
                             INSERT INTO t (v) VALUES ('new {round}')"
                        ));
                    }
                })
            });
            let run = mysql.read(&from, state.as_ref()).ok();
            if let Some(writing) = writing {
                writing.join().unwrap();
            }
            run
        });
        finish(postgres.destination(&to), &lines(&run, &mysql)).ok();
        state = run.states().pop();
    }
    // The source once more as a whole, beside the copy.
    let whole = mysql.read(&[configured(&stream, json!({}))], None).ok();
    let mut renamed = stream.clone();
    renamed["name"] = json!("whole");
    let input = lines(&whole, &mysql).replace("\"stream\":\"t\"", "\"stream\":\"whole\"");
    let input: String = input
        .lines()
        .filter(|l| l.contains("RECORD"))
        .map(|l| format!("{l}\n"))
        .collect();
    finish(postgres.destination(&[copied(&renamed, json!({}))]), &input).ok();
    let columns = "id, v, n, updated_at";
    let difference = format!(
        "(SELECT {columns} FROM t EXCEPT ALL SELECT {columns} FROM whole) UNION ALL \
         (SELECT {columns} FROM whole EXCEPT ALL SELECT {columns} FROM t)"
    );
    assert_eq!(postgres.lines(&difference), [""; 0]);
    assert_eq!(postgres.lines("SELECT count(*) FROM t"), ["20120"]);
}
