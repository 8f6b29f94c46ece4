//! `source-postgres`: what it offers, and full refreshes.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::given::{Database, integers};
use crate::given::configured;

const EVERY_TYPE: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE TABLE t (id int PRIMARY KEY, b bool, big int8, n numeric, n2 numeric(10,2), f4 real,
        f8 double precision, m money, s text, c char(5), u uuid, j json, jb jsonb, d date, ti time,
        tz timetz, ts timestamp, tstz timestamptz, iv interval, by bytea, ia int[], ta text[],
        na numeric[][], e mood, p positive, i inet, bits varbit, r int4range, bx box[], ja jsonb[]);
    INSERT INTO t VALUES (1, true, 9223372036854775807, 12345678901234567890123456789.1234567890,
        1.10, 0.1, 1e300, '$1,234.50', E'a\tb\n"\\é', 'c', '2e7406ca-de10-4dcb-9fc3-29ef6342442c',
        E'{"a":\n1.10}', '[1,{"b":2}]', '2024-02-29', '24:00', '10:00+02', '2024-01-01 10:00:00.123456',
        '2024-01-01 10:00+02', '1 year 2 days', '\xdeadbeef', '{1,NULL,3}', '{"a;b","c,d",NULL,"NULL",""}',
        '{{1.50,2},{3,4}}', 'happy', 5, '10.0.0.1/8', B'101', '[1,5)', '{(1,2),(0,0);(3,4),(1,1)}',
        '{"{\"a\": \"x\\ny\"}"}');
    INSERT INTO t (id, n, f4, f8, d, ts, tstz) VALUES
        (2, 'NaN', 'Infinity', '-Infinity', 'infinity', '-infinity', 'infinity');
    INSERT INTO t (id) VALUES (3);
"#;

#[test]
fn every_type_arrives_with_all_its_digits() {
    let database = Database::new(EVERY_TYPE);
    let run = database
        .read(&[configured(&database.stream("t"), json!({}))], None)
        .ok();
    let row = r#"{"id":1,"b":true,"big":9223372036854775807,"n":12345678901234567890123456789.1234567890,"n2":1.10,"f4":0.1,"f8":1e+300,"m":1234.50,"s":"a\tb\n\"\\é","c":"c    ","u":"2e7406ca-de10-4dcb-9fc3-29ef6342442c","j":{"a": 1.10},"jb":[1, {"b": 2}],"d":"2024-02-29","ti":"24:00:00","tz":"10:00:00+02:00","ts":"2024-01-01T10:00:00.123456","tstz":"2024-01-01T08:00:00Z","iv":"1 year 2 days","by":"3q2+7w==","ia":[1,null,3],"ta":["a;b","c,d",null,"NULL",""],"na":[[1.50,2],[3,4]],"e":"happy","p":5,"i":"10.0.0.1/8","bits":"101","r":"[1,5)","bx":"{(1,2),(0,0);(3,4),(1,1)}","ja":[{"a": "x\ny"}]}"#;
    assert!(run.text.contains(row), "{}", run.text);
    let unfit = &run.of("RECORD", "record")[1];
    let changed: Vec<&str> = unfit["meta"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            assert_eq!(change["change"], "NULLED");
            assert_eq!(change["reason"], "SOURCE_SERIALIZATION_ERROR");
            change["field"].as_str().unwrap()
        })
        .collect();
    assert_eq!(changed, ["n", "f4", "f8", "d", "ts", "tstz"]);
    let empty = &run.records()[2];
    assert!(
        empty
            .as_object()
            .unwrap()
            .values()
            .skip(1)
            .all(Value::is_null)
    );
}

#[test]
fn types_are_offered_as_schemas() {
    let database = Database::new(EVERY_TYPE);
    let schema = &database.stream("t")["json_schema"]["properties"];
    let cases = [
        ("id", json!({ "type": "integer" })),
        ("b", json!({ "type": ["null", "boolean"] })),
        ("n", json!({ "type": ["null", "number"] })),
        ("m", json!({ "type": ["null", "number"] })),
        ("e", json!({ "type": ["null", "string"] })),
        ("p", json!({ "type": ["null", "integer"] })),
        (
            "by",
            json!({ "type": ["null", "string"], "contentEncoding": "base64" }),
        ),
        ("d", json!({ "type": ["null", "string"], "format": "date" })),
        (
            "tstz",
            json!({ "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone" }),
        ),
        (
            "ta",
            json!({ "type": ["null", "array"], "items": { "type": ["null", "string"] } }),
        ),
    ];
    for (column, expected) in cases {
        assert_eq!(schema[column], expected, "{column}");
    }
    assert_eq!(schema["jb"]["type"], json!(["null", "object"]));
}

#[test]
fn decimals_that_are_declared_with_their_digits_say_them() {
    let database = Database::new(
        "CREATE DOMAIN price AS numeric(12,2); CREATE DOMAIN fare AS price CHECK (value > 0); \
         CREATE TABLE t (a numeric(10,2), b numeric(38), c fare, d numeric, e numeric(39,2), f numeric(12,2)[], \
            g float8 NOT NULL, h money, i numeric(5,5) NOT NULL)",
    );
    let schema = &database.stream("t")["json_schema"]["properties"];
    let told = |column: &str| schema[column]["x-decimal"].clone();
    let digits = |precision: u8, scale: u8| json!({ "precision": precision, "scale": scale });
    assert_eq!(
        schema["a"],
        json!({ "type": ["null", "number"], "x-decimal": digits(10, 2) })
    );
    assert_eq!(told("b"), digits(38, 0));
    assert_eq!(told("c"), digits(12, 2));
    assert_eq!(told("i"), digits(5, 5));
    for column in ["d", "e", "f", "g", "h"] {
        assert_eq!(told(column), Value::Null, "{column}");
    }
}

#[test]
fn schemas_are_namespaces_and_partitions_are_read_through_their_table() {
    let database = Database::new(
        "CREATE SCHEMA sales; CREATE TABLE sales.orders (a int, b text, updated_at timestamptz, PRIMARY KEY (b, a)); \
         CREATE TABLE plain (x jsonb); CREATE VIEW seen AS SELECT 1 AS one; \
         CREATE MATERIALIZED VIEW stored AS SELECT 2 AS two; \
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id); \
         CREATE TABLE part_low PARTITION OF parts FOR VALUES FROM (0) TO (10); \
         CREATE TABLE part_high PARTITION OF parts FOR VALUES FROM (10) TO (20); \
         INSERT INTO parts SELECT generate_series(0, 19);",
    );
    let streams = database.discover_with(&database.config());
    let names: Vec<String> = streams
        .iter()
        .map(|s| {
            format!(
                "{}.{}",
                s["namespace"].as_str().unwrap(),
                s["name"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        "public.parts",
        "public.plain",
        "public.seen",
        "public.stored",
        "sales.orders",
    ];
    assert_eq!(names, expected);
    let orders = &streams[4];
    assert_eq!(orders["source_defined_primary_key"], json!([["b"], ["a"]]));
    assert_eq!(orders["default_cursor_field"], json!(["updated_at"]));
    assert_eq!(orders["is_resumable"], json!(true));
    assert_eq!(streams[1]["supported_sync_modes"], json!(["full_refresh"]));
    let chosen = database.discover_with(&database.config_with(json!({ "schemas": ["sales"] })));
    assert_eq!(chosen.len(), 1);
    let all: Vec<Value> = streams.iter().map(|s| configured(s, json!({}))).collect();
    let run = database.read(&all, None).ok();
    assert_eq!(run.records().len(), 20 + 2);
    assert_eq!(
        run.statuses()
            .iter()
            .filter(|s| s.ends_with("COMPLETE"))
            .count(),
        5
    );
}

#[test]
fn columns_and_tables_keep_their_ids_when_renamed() {
    let database =
        Database::new("CREATE TABLE t (id int, gone int, was text); ALTER TABLE t DROP gone");
    let before = database.stream("t")["json_schema"]["x-column-ids"].clone();
    assert_eq!(before["columns"], json!({ "id": 1, "was": 3 }));
    database.sql("ALTER TABLE t RENAME was TO now; ALTER TABLE t RENAME TO u");
    let after = database.stream("u")["json_schema"]["x-column-ids"].clone();
    assert_eq!(after["columns"], json!({ "id": 1, "now": 3 }));
    assert_eq!(after["table"], before["table"]);
}

#[test]
fn a_killed_full_refresh_resumes_behind_its_last_state() {
    let database = Database::new(
        "CREATE TABLE t (a int, b text, filler text, PRIMARY KEY (a, b)); \
         INSERT INTO t SELECT n / 3, 'k''' || n, repeat('x', 500) FROM generate_series(1, 120000) AS n",
    );
    let streams = [configured(&database.stream("t"), json!({}))];
    let mut child = database.source(&database.config(), &streams, None);
    let mut seen = Vec::new();
    let mut state = None;
    let mut before_state = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match message["type"].as_str().unwrap() {
            "RECORD" => seen.push(message["record"]["data"]["b"].as_str().unwrap().to_owned()),
            "STATE" => {
                state = Some(message["state"].clone());
                before_state = seen.len();
                if before_state >= 60_000 {
                    break;
                }
            }
            _ => {}
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    seen.truncate(before_state);
    let run = database.read(&streams, state.as_ref()).ok();
    let rest = run.records();
    assert_eq!(rest.len() + before_state, 120_000);
    seen.extend(rest.iter().map(|row| row["b"].as_str().unwrap().to_owned()));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 120_000);
    let last = run.states().pop().unwrap();
    assert!(
        database
            .read(&streams, Some(&last))
            .ok()
            .records()
            .is_empty()
    );
    let counted: f64 = run
        .states()
        .iter()
        .map(|s| s["sourceStats"]["recordCount"].as_f64().unwrap())
        .sum();
    assert_eq!(counted, rest.len() as f64);
}

#[test]
fn selected_columns_alone_are_read_and_columns_may_come_and_go() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 2, 3)",
    );
    let mut stream = database.stream("t");
    stream["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("b");
    let streams = [configured(&stream, json!({}))];
    assert_eq!(
        database.read(&streams, None).ok().records(),
        [json!({ "id": 1, "a": 2 })]
    );
    database.sql("ALTER TABLE t ALTER a TYPE text; ALTER TABLE t ADD c int");
    assert_eq!(
        database.read(&streams, None).ok().records(),
        [json!({ "id": 1, "a": "2" })]
    );
    database.sql("ALTER TABLE t DROP a");
    assert_eq!(
        database.read(&streams, None).ok().records(),
        [json!({ "id": 1 })]
    );
}

#[test]
fn one_stream_that_cannot_be_read_does_not_stop_the_others() {
    let database = Database::new(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY); \
         INSERT INTO a VALUES (1); INSERT INTO c VALUES (3); \
         CREATE TABLE b (id int PRIMARY KEY); CREATE VIEW v AS SELECT 1 / (id - id) AS id FROM a",
    );
    let streams: Vec<Value> = ["a", "b", "v", "c"]
        .iter()
        .map(|name| configured(&database.stream(name), json!({})))
        .collect();
    database.sql("DROP TABLE b");
    let run = database.read(&streams, None);
    assert_eq!(run.code, 1);
    assert_eq!(integers(&run, "id"), [1, 3]);
    assert!(run.statuses().contains(&"v INCOMPLETE".to_owned()));
    let error = run.error();
    assert_eq!(
        error["message"],
        "2 of 4 streams could not be read (public.b, public.v): the database has no table or view public.b"
    );
}
