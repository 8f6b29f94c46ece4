//! From one schema to another through both connectors: the rows are equal, cell by cell.

use serde_json::{Value, json};

use super::given::Database;
use crate::given::{Run, complete, configured, finish};

/// The source's rows, and its states, as lines for a destination that writes the schema `copy`.
pub(super) fn lines(run: &Run) -> String {
    let is_data = |line: &&str| {
        line.starts_with(r#"{"type":"RECORD""#) || line.starts_with(r#"{"type":"STATE""#)
    };
    let lines = run.text.lines().filter(is_data);
    let renamed =
        |line: &str| line.replacen(r#""namespace":"public""#, r#""namespace":"copy""#, 1) + "\n";
    lines.map(renamed).collect()
}

pub(super) fn copied(stream: &Value, settings: &Value) -> Value {
    let mut stream = stream.clone();
    stream["namespace"] = json!("copy");
    configured(&stream, settings.clone())
}

pub(super) fn completed(name: &str) -> String {
    let mut message = complete(name);
    message["trace"]["stream_status"]["stream_descriptor"]["namespace"] = json!("copy");
    format!("{message}\n")
}

#[test]
fn every_type_arrives_as_it_was() {
    let columns = [
        ("b", "bool", "true"),
        ("i2", "int2", "-32768"),
        ("i8", "int8", "9223372036854775807"),
        ("n", "numeric", "-12345678901234567890123456789.1234567890"),
        ("n2", "numeric(12,2)", "1.10"),
        ("f4", "real", "3.4028235e+38"),
        ("f8", "double precision", "5e-324"),
        (
            "s",
            "text",
            "tab\tline\nreturn\rback\\slash \"quote\" \\N \u{1F600} \u{1}",
        ),
        ("vc", "varchar(20)", ""),
        ("c", "char(5)", "c"),
        ("u", "uuid", "2e7406ca-de10-4dcb-9fc3-29ef6342442c"),
        ("j", "json", "{\"b\":\n[1.10, \"\\\\ \\n\"], \"a\": 1e300}"),
        ("jb", "jsonb", "\"text\""),
        ("d", "date", "0044-03-15 BC"),
        ("t", "time", "23:59:59.999999"),
        ("tz", "timetz", "10:00:00+05:30"),
        ("ts", "timestamp", "294270-01-01 00:00:00.000001"),
        ("tstz", "timestamptz", "0001-01-01 00:00:00+00"),
        ("iv", "interval", "-1 years +2 days 03:04:05.6"),
        ("by", "bytea", "\\x00ff0a5c"),
        ("i", "inet", "2001:db8::1/64"),
        ("bits", "varbit", "10101"),
        ("r", "tstzrange", "[2024-01-01,)"),
        ("e", "mood", "happy"),
        ("p", "positive", "5"),
        ("x", "xml", "<a>&amp;</a>"),
        ("pt", "point", "(1.5,-2)"),
        ("m", "macaddr", "08:00:2b:01:02:03"),
        ("ia", "int[]", "{1,NULL,3}"),
        (
            "ta",
            "text[]",
            "{\"a;b\",\"c,d\",NULL,\"NULL\",\"\",\"\\\\\"}",
        ),
        ("na", "numeric[]", "{{1.50,2},{3,4}}"),
    ];
    let declared: Vec<String> = columns
        .iter()
        .map(|(name, kind, _)| format!("{name} {kind}"))
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(_, _, value)| format!("'{}'", value.replace('\'', "''")))
        .collect();
    let database = Database::new(&format!(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (value > 0); \
         CREATE TABLE t (id int PRIMARY KEY, {}); INSERT INTO t VALUES (1, {}); INSERT INTO t (id) VALUES (2)",
        declared.join(", "),
        values.join(", ")
    ));
    let stream = database.stream("t");
    let run = database.read(&[configured(&stream, json!({}))], None).ok();
    let input = lines(&run) + &completed("t");
    finish(database.destination(&[copied(&stream, &json!({}))]), &input).ok();
    assert_eq!(database.lines("SELECT count(*) FROM copy.t"), ["2"]);
    assert_eq!(
        database.lines("SELECT DISTINCT _airbyte_meta ->> 'changes' FROM copy.t"),
        ["[]"]
    );
    for (name, kind, _) in columns {
        // In the source's type if the destination has one for it, otherwise as JSON.
        let (a, b) = match kind {
            "json" => (format!("s.{name}::jsonb"), format!("c.{name}")),
            _ if kind.ends_with("[]") => (format!("to_jsonb(s.{name})"), format!("c.{name}")),
            _ => (format!("s.{name}::text"), format!("c.{name}::{kind}::text")),
        };
        let differing = format!(
            "SELECT {a} AS was, {b} AS is_now FROM t s JOIN copy.t c USING (id) WHERE {a} IS DISTINCT FROM {b}"
        );
        assert!(
            database.lines(&differing).is_empty(),
            "{name}: {:?}",
            database.lines(&differing)
        );
    }
}

#[test]
fn incremental_syncs_under_writes_end_equal() {
    let database = Database::new(
        "CREATE TABLE t (id serial PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT now()); \
         INSERT INTO t (v) SELECT repeat('x', n % 50) FROM generate_series(1, 20000) AS n",
    );
    let settings = json!({
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup", "primary_key": [["id"]],
        "cursor_field": ["updated_at"],
    });
    let stream = database.stream("t");
    let (from, to) = (
        [configured(&stream, settings.clone())],
        [copied(&stream, &settings)],
    );
    let mut state: Option<Value> = None;
    for round in 0..4 {
        let run = std::thread::scope(|scope| {
            // There are no writers in the last round.
            let writing = (round < 3).then(|| {
                scope.spawn(|| {
                    for n in 0..40 {
                        database.sql(&format!(
                            "UPDATE t SET v = 'changed {round}', updated_at = clock_timestamp() WHERE id % 1000 = {n}; \
                             INSERT INTO t (v) VALUES ('new {round}')"
                        ));
                    }
                })
            });
            let run = database.read(&from, state.as_ref()).ok();
            if let Some(writing) = writing {
                writing.join().unwrap();
            }
            run
        });
        finish(database.destination(&to), &lines(&run)).ok();
        state = run.states().pop();
    }
    let difference = "(SELECT id, v, updated_at FROM t EXCEPT SELECT id, v, updated_at FROM copy.t) \
        UNION ALL (SELECT id, v, updated_at FROM copy.t EXCEPT SELECT id, v, updated_at FROM t)";
    assert!(database.lines(difference).is_empty());
    assert_eq!(database.lines("SELECT count(*) FROM copy.t"), ["20120"]);
}
