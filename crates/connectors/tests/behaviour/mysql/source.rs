//! `source-mysql`: what it offers, full refreshes, and tables that change.

use serde_json::{Value, json};

use super::given::{Database, integers, last};
use crate::given::configured;

#[test]
fn tables_and_views_are_offered_with_keys_and_cursors() {
    let database = Database::new(
        "CREATE TABLE `a ``b` (z int, `UPDATED_at` datetime, id int unsigned NOT NULL, PRIMARY KEY (id, z)); \
         CREATE TABLE nokey (updated_at datetime, note varchar(9) NOT NULL); \
         CREATE TABLE prefixed (t text, PRIMARY KEY (t(5))); \
         CREATE VIEW v AS SELECT id, count(*) AS n FROM `a ``b` GROUP BY id; CREATE SEQUENCE s",
    );
    let streams = database.discover_with(json!({}));
    let names: Vec<&str> = streams
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a `b", "nokey", "prefixed", "v"]);
    let [table, nokey, prefixed, view] = streams.as_slice() else {
        panic!("{streams:#?}");
    };
    assert_eq!(table["namespace"], json!(database.name));
    assert_eq!(table["source_defined_primary_key"], json!([["id"], ["z"]]));
    assert_eq!(table["default_cursor_field"], json!(["UPDATED_at"]));
    assert_eq!(table["is_resumable"], json!(true));
    assert_eq!(
        table["json_schema"]["properties"],
        json!({
            "z": { "type": "integer" },
            "UPDATED_at": { "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_without_timezone" },
            "id": { "type": "integer" },
        })
    );
    assert_eq!(nokey["is_resumable"], json!(false));
    assert_eq!(nokey["default_cursor_field"], Value::Null);
    assert_eq!(prefixed["is_resumable"], json!(false));
    assert_eq!(view["source_defined_primary_key"], Value::Null);
    let run = database.read(&[configured(table, json!({}))], None).ok();
    assert_eq!(run.statuses(), ["a `b STARTED", "a `b COMPLETE"]);
}

#[test]
fn decimals_say_their_digits() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, a decimal(12,2), b decimal, c decimal(38,38) NOT NULL, \
         d decimal(39,2), e double(12,2), f decimal(7,3) unsigned zerofill)",
    );
    let stream = database.stream("t");
    let schema = &stream["json_schema"]["properties"];
    let told = |column: &str| schema[column]["x-decimal"].clone();
    let digits = |precision: u8, scale: u8| json!({ "precision": precision, "scale": scale });
    assert_eq!(
        schema["a"],
        json!({ "type": ["null", "number"], "x-decimal": digits(12, 2) })
    );
    assert_eq!(told("b"), digits(10, 0));
    assert_eq!(told("c"), digits(38, 38));
    assert_eq!(told("f"), digits(7, 3));
    for column in ["d", "e", "id"] {
        assert_eq!(told(column), Value::Null, "{column}");
    }
}

#[test]
fn full_refreshes_read_all_of_every_table() {
    let database = Database::new(
        "CREATE TABLE keyed (id bigint unsigned PRIMARY KEY, v text); \
         INSERT INTO keyed SELECT seq, 'x' FROM seq_1_to_120000; \
         CREATE TABLE nokey (id int) ENGINE = MyISAM; INSERT INTO nokey SELECT seq FROM seq_1_to_1000; \
         CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 4; \
         INSERT INTO parted SELECT seq FROM seq_1_to_1000; \
         CREATE TABLE empty (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM parted",
    );
    let read = |name: &str| {
        let run = database
            .read(&[configured(&database.stream(name), json!({}))], None)
            .ok();
        let ids = run.records().into_iter().map(|record| match &record["id"] {
            Value::String(digits) => digits.parse::<i64>().unwrap(),
            number => number.as_i64().unwrap(),
        });
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable();
        (ids, run.states().len())
    };
    let (ids, states) = read("keyed");
    assert!(ids.into_iter().eq(1..=120_000));
    assert_eq!(states, 13, "one every 10,000 rows and one at the end");
    assert_eq!(read("nokey"), ((1..=1000).collect(), 0));
    assert_eq!(read("parted"), ((1..=1000).collect(), 1));
    assert_eq!(read("v"), ((1..=1000).collect(), 0));
    assert_eq!(read("empty"), (Vec::new(), 1));
}

#[test]
fn tables_are_read_in_the_order_of_keys_of_every_type() {
    let cases = [
        ("smallint", "cast(seq AS signed) - 5"),
        ("bigint unsigned", "18446744073709551615 - seq"),
        ("decimal(30,10)", "seq / 3"),
        ("float", "seq / 10"),
        ("double", "seq / 3"),
        ("bit(20)", "seq"),
        ("varchar(30)", "concat('it''s \\\\ ', seq)"),
        ("binary(16)", "unhex(md5(seq))"),
        ("date", "'2024-01-01' + interval seq day"),
        ("datetime(6)", "'2024-01-01' + interval seq microsecond"),
        ("timestamp", "'2024-01-01' + interval seq hour"),
        ("time(3)", "sec_to_time(seq)"),
        ("year", "2000 + seq % 100"),
        (
            "uuid",
            "concat(lpad(hex(seq), 8, '0'), '-de10-4dcb-9fc3-29ef6342442c')",
        ),
        ("set('a','b','c','d','e')", "seq % 32"),
    ];
    let database = Database::new("CREATE TABLE t (id int)");
    for (kind, value) in cases {
        database.sql(&format!(
            "DROP TABLE t; CREATE TABLE t (k {kind}, n int, id int, PRIMARY KEY (k, n)); \
             INSERT INTO t SELECT {value}, seq, seq FROM seq_1_to_99"
        ));
        let streams = [configured(&database.stream("t"), json!({}))];
        let all = integers(&database.read(&streams, None).ok(), "id");
        assert_eq!(all.len(), 99, "{kind}");
        // From the state that a read of the first rows alone would have left.
        database.sql(&format!(
            "CREATE TABLE rest AS SELECT * FROM t; DELETE FROM t WHERE NOT id IN ({})",
            all[..40]
                .iter()
                .map(i64::to_string)
                .collect::<Vec<_>>()
                .join(",")
        ));
        let state = last(&database.read(&streams, None).ok());
        database.sql("REPLACE INTO t SELECT * FROM rest; DROP TABLE rest");
        let resumed = integers(&database.read(&streams, Some(&state)).ok(), "id");
        assert_eq!(resumed, all[40..], "{kind}");
    }
}

#[test]
fn only_configured_columns_are_read() {
    let database =
        Database::new("CREATE TABLE t (id int, secret text); INSERT INTO t VALUES (1, 'x')");
    let mut stream = database.stream("t");
    stream["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("secret");
    let run = database.read(&[configured(&stream, json!({}))], None).ok();
    assert_eq!(run.records(), [json!({ "id": 1 })]);
}

#[test]
fn tables_that_change_between_reads_are_read_as_they_are() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, a int, at int); INSERT INTO t VALUES (1, 5, 1)",
    );
    let settings = json!({ "sync_mode": "incremental", "cursor_field": ["at"] });
    let streams = [configured(&database.stream("t"), settings)];
    let first = database.read(&streams, None).ok();
    database.sql(
        "ALTER TABLE t ADD b varchar(9) DEFAULT 'new' FIRST, DROP a; INSERT INTO t VALUES ('x', 2, 2)",
    );
    let second = database.read(&streams, Some(&last(&first))).ok();
    // The configured schema decides which columns are read: `b` is not among them yet. The first
    // row says something else now, and is read again.
    assert_eq!(
        second.records(),
        [json!({ "id": 1, "at": 1 }), json!({ "id": 2, "at": 2 })]
    );
    let b = &database.stream("t")["json_schema"]["properties"]["b"];
    assert_eq!(b, &json!({ "type": ["null", "string"] }));
    database.sql("DROP TABLE t");
    let run = database.read(&streams, Some(&last(&second)));
    assert_eq!(run.code, 1);
    let said = run.error()["message"].as_str().unwrap().to_owned();
    assert!(said.contains("the database has no table or view"), "{said}");
    assert_eq!(run.statuses(), ["t STARTED", "t INCOMPLETE"]);
}

#[test]
fn a_failing_stream_does_not_affect_the_others() {
    let database = Database::new(
        "CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO b VALUES (1); \
         CREATE VIEW broken AS SELECT id FROM a",
    );
    let streams: Vec<Value> = ["broken", "b"]
        .map(|name| configured(&database.stream(name), json!({})))
        .to_vec();
    database.sql("DROP TABLE a");
    let run = database.read(&streams, None);
    assert_eq!(run.code, 1);
    assert_eq!(run.records(), [json!({ "id": 1 })]);
    assert!(run.statuses().contains(&"b COMPLETE".to_owned()));
    assert!(run.statuses().contains(&"broken INCOMPLETE".to_owned()));
}

#[test]
fn a_value_of_many_megabytes_arrives_whole() {
    let database = Database::new(
        "SET max_statement_time = 0; CREATE TABLE t (big longtext, id int PRIMARY KEY)",
    );
    // Longer than a packet of the protocol, in the first column.
    database.sql(
        "INSERT INTO t VALUES (repeat('x', 8000000), 1); UPDATE t SET big = concat(big, big, 'end'); \
         INSERT INTO t VALUES ('y', 2)",
    );
    let run = database
        .read(&[configured(&database.stream("t"), json!({}))], None)
        .ok();
    let records = run.records();
    assert_eq!(records[0]["big"].as_str().unwrap().len(), 16_000_003);
    assert_eq!(records[1]["big"], "y");
}
