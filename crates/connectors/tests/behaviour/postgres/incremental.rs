//! `source-postgres` by a cursor: ties, nulls, states.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::given::{Database, integers};
use crate::given::{Run, configured};

fn by(database: &Database, cursor: &str) -> [Value; 1] {
    let settings = json!({ "sync_mode": "incremental", "cursor_field": [cursor] });
    [configured(&database.stream("t"), settings)]
}

fn last(run: &Run) -> Value {
    run.states().pop().unwrap()
}

fn sorted(run: &Run) -> Vec<i64> {
    let mut ids = integers(run, "id");
    ids.sort_unstable();
    ids
}

#[test]
fn rows_that_share_the_cursors_last_value_are_not_lost() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz); \
         INSERT INTO t SELECT n, 'x', '2024-01-01 00:00:00.000001+00' FROM generate_series(1, 3) AS n",
    );
    let streams = by(&database, "at");
    let first = database.read(&streams, None).ok();
    assert_eq!(sorted(&first), [1, 2, 3]);
    let quiet = database.read(&streams, Some(&last(&first))).ok();
    assert_eq!(sorted(&quiet), [0_i64; 0]);
    // A row with the same cursor, a change under the same cursor, and a later row.
    database.sql("INSERT INTO t VALUES (4, 'x', '2024-01-01 00:00:00.000001+00')");
    let second = database.read(&streams, Some(&last(&quiet))).ok();
    assert_eq!(sorted(&second), [1, 2, 3, 4]);
    database.sql("UPDATE t SET v = 'y' WHERE id = 2");
    let third = database.read(&streams, Some(&last(&second))).ok();
    assert!(sorted(&third).contains(&2));
    database.sql("INSERT INTO t VALUES (5, 'x', '2024-01-02')");
    let fourth = database.read(&streams, Some(&last(&third))).ok();
    assert_eq!(sorted(&fourth), [5]);
}

#[test]
fn cursors_of_every_ordered_type_continue_exactly() {
    let cases = [
        ("int8", "9223372036854775806", "9223372036854775807"),
        (
            "numeric",
            "1.0000000000000000000000001",
            "1.0000000000000000000000002",
        ),
        (
            "double precision",
            "0.30000000000000004",
            "0.3000000000000001",
        ),
        ("real", "0.1", "0.2"),
        ("text", "it''s \\ a", "it''s \\ b"),
        ("char(4)", "a", "b"),
        ("date", "2024-02-29", "2024-03-01"),
        (
            "timestamp",
            "2024-02-29 10:00:00.000001",
            "2024-02-29 10:00:00.000002",
        ),
        ("time", "10:00:00.000001", "10:00:00.000002"),
        (
            "uuid",
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-000000000002",
        ),
        (
            "stamp",
            "2024-02-29 10:00:00.000001",
            "2024-02-29 10:00:00.000002",
        ),
    ];
    let database = Database::new("CREATE DOMAIN stamp AS timestamptz; CREATE TABLE t (id int)");
    for (kind, low, high) in cases {
        database.sql(&format!(
            "DROP TABLE t; CREATE TABLE t (id int, c {kind}); INSERT INTO t VALUES (1, '{low}')"
        ));
        let streams = by(&database, "c");
        let first = database.read(&streams, None).ok();
        database.sql(&format!("INSERT INTO t VALUES (2, '{high}')"));
        let second = database.read(&streams, Some(&last(&first))).ok();
        assert_eq!(sorted(&second), [2], "{kind}");
    }
}

#[test]
fn rows_without_a_cursor_are_read_once() {
    let database =
        Database::new("CREATE TABLE t (id int, c int); INSERT INTO t VALUES (1, NULL), (2, 5)");
    let streams = by(&database, "c");
    let first = database.read(&streams, None).ok();
    assert_eq!(sorted(&first), [1, 2]);
    let second = database.read(&streams, Some(&last(&first))).ok();
    assert_eq!(sorted(&second), [0_i64; 0]);
    database.sql("INSERT INTO t VALUES (3, NULL)");
    let third = database.read(&streams, Some(&last(&second))).ok();
    assert_eq!(sorted(&third), [1, 3]);
}

#[test]
fn a_killed_read_resumes_from_its_last_state_while_rows_are_written() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, at int NOT NULL, filler text); \
         INSERT INTO t SELECT n, n / 7, repeat('x', 500) FROM generate_series(1, 60000) AS n",
    );
    let streams = by(&database, "at");
    let mut child = database.source(&database.config(), &streams, None);
    let mut seen: Vec<i64> = Vec::new();
    let mut state = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match message["type"].as_str().unwrap() {
            "RECORD" => seen.push(message["record"]["data"]["id"].as_i64().unwrap()),
            "STATE" => {
                state = Some(message["state"].clone());
                break;
            }
            _ => {}
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The state lies within rows that share a value; some of them change, and one comes.
    database.sql(
        "UPDATE t SET filler = 'y' WHERE at = (SELECT max(at) FROM t) / 2; \
         INSERT INTO t VALUES (60001, 60000 / 7, 'x')",
    );
    let run = database.read(&streams, state.as_ref()).ok();
    seen.extend(integers(&run, "id"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 60_001);
}

#[test]
fn a_cursor_that_is_none_is_refused_by_name() {
    let database = Database::new("CREATE TABLE t (id int, j jsonb)");
    for (cursor, words) in [
        ("j", "column j of table public.t has no order to read by"),
        ("x", "table public.t has no column x for a cursor"),
    ] {
        let run = database.read(&by(&database, cursor), None);
        assert_eq!(run.code, 1);
        assert!(
            run.error()["message"].as_str().unwrap().ends_with(words),
            "{}",
            run.error()
        );
    }
}

#[test]
fn a_cursor_of_another_type_starts_over() {
    let database =
        Database::new("CREATE TABLE t (id int, c text); INSERT INTO t VALUES (1, '9'), (2, '10')");
    let streams = by(&database, "c");
    let first = database.read(&streams, None).ok();
    database.sql("ALTER TABLE t ALTER c TYPE int USING c::int");
    let second = database.read(&streams, Some(&last(&first))).ok();
    assert_eq!(sorted(&second), [1, 2]);
}

#[test]
fn no_state_comes_between_rows_that_share_a_cursor_value() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz); \
         INSERT INTO t SELECT n, '2024-01-01'::timestamptz + (n / 7) * interval '1 second' \
         FROM generate_series(1, 25000) AS n",
    );
    let streams = by(&database, "at");
    let states = database.read(&streams, None).ok().states();
    assert!(states.len() >= 3, "{} states", states.len());
    let mut covered = 0.0;
    for state in &states {
        covered += state["sourceStats"]["recordCount"].as_f64().unwrap();
        let rest = integers(&database.read(&streams, Some(state)).ok(), "id").len();
        assert_eq!(covered + rest as f64, 25_000.0, "{state}");
    }
}
