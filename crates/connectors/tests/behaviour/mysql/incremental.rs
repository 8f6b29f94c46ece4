//! `source-mysql` by a cursor: ties, nulls, states.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::given::{Database, integers, last};
use crate::given::{Run, configured};

fn by(database: &Database, cursor: &str) -> [Value; 1] {
    let settings = json!({ "sync_mode": "incremental", "cursor_field": [cursor] });
    [configured(&database.stream("t"), settings)]
}

fn sorted(run: &Run) -> Vec<i64> {
    let mut ids = integers(run, "id");
    ids.sort_unstable();
    ids
}

#[test]
fn rows_that_share_the_cursors_last_value_are_not_lost() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text, at datetime(6)); \
         INSERT INTO t VALUES (1, 'x', '2024-01-01 00:00:00.000001'), (2, 'x', '2024-01-01 00:00:00.000001')",
    );
    let streams = by(&database, "at");
    let first = database.read(&streams, None).ok();
    assert_eq!(sorted(&first), [1, 2]);
    let quiet = database.read(&streams, Some(&last(&first))).ok();
    assert_eq!(sorted(&quiet), [0_i64; 0]);
    // A row with the same cursor, a change under the same cursor, and a later row.
    database.sql("INSERT INTO t VALUES (3, 'x', '2024-01-01 00:00:00.000001')");
    let second = database.read(&streams, Some(&last(&quiet))).ok();
    assert_eq!(sorted(&second), [1, 2, 3]);
    database.sql("UPDATE t SET v = 'y' WHERE id = 2");
    let third = database.read(&streams, Some(&last(&second))).ok();
    assert!(sorted(&third).contains(&2));
    database.sql("INSERT INTO t VALUES (4, 'x', '2024-01-02')");
    let fourth = database.read(&streams, Some(&last(&third))).ok();
    assert_eq!(sorted(&fourth), [4]);
}

#[test]
fn texts_that_a_collation_treats_as_equal_are_ties() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, c varchar(20) COLLATE utf8mb4_general_ci); \
         INSERT INTO t VALUES (1, 'b'), (2, 'B'), (3, 'a'), (4, 'b'), (5, 'B ')",
    );
    let streams = by(&database, "c");
    let first = database.read(&streams, None).ok();
    assert_eq!(sorted(&first), [1, 2, 3, 4, 5]);
    let quiet = database.read(&streams, Some(&last(&first))).ok();
    assert_eq!(sorted(&quiet), [0_i64; 0]);
    database.sql("INSERT INTO t VALUES (6, 'B')");
    let second = database.read(&streams, Some(&last(&quiet))).ok();
    assert!(sorted(&second).contains(&6));
    let third = database.read(&streams, Some(&last(&second))).ok();
    assert_eq!(sorted(&third), [0_i64; 0]);
}

#[test]
fn cursors_of_every_ordered_type_continue_exactly() {
    let cases = [
        ("tinyint", "-5", "4"),
        ("int(10) unsigned zerofill", "9", "10"),
        ("bigint", "9223372036854775806", "9223372036854775807"),
        (
            "bigint unsigned",
            "18446744073709551614",
            "18446744073709551615",
        ),
        (
            "decimal(40,25)",
            "1.0000000000000000000000001",
            "1.0000000000000000000000002",
        ),
        ("float", "0.1", "0.2"),
        ("double", "0.30000000000000004", "0.3000000000000001"),
        ("double", "1e300", "1e301"),
        ("varchar(20)", "'it''s \\\\ a'", "'it''s \\\\ b'"),
        ("char(4)", "'a'", "'b'"),
        ("text", "'a'", "'\u{e9}'"),
        ("varchar(9) character set latin1", "'\u{e9}'", "'\u{fc}'"),
        ("date", "'2024-02-29'", "'2024-03-01'"),
        (
            "datetime(6)",
            "'2024-02-29 10:00:00.000001'",
            "'2024-02-29 10:00:00.000002'",
        ),
        (
            "timestamp",
            "'2024-02-29 10:00:00'",
            "'2024-02-29 10:00:01'",
        ),
        ("time(6)", "'-10:00:00.000001'", "'100:00:00.000002'"),
        ("year", "2024", "2025"),
    ];
    let database = Database::new("CREATE TABLE t (id int)");
    for (kind, low, high) in cases {
        database.sql(&format!(
            "DROP TABLE t; CREATE TABLE t (id int, c {kind}); INSERT INTO t VALUES (1, {low})"
        ));
        let streams = by(&database, "c");
        let first = database.read(&streams, None).ok();
        let quiet = database.read(&streams, Some(&last(&first))).ok();
        assert_eq!(sorted(&quiet), [0_i64; 0], "{kind}");
        database.sql(&format!("INSERT INTO t VALUES (2, {high})"));
        let second = database.read(&streams, Some(&last(&quiet))).ok();
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

/// Reads until the first state and kills the source: the ids read before it, and the state.
fn killed(database: &Database, streams: &[Value]) -> (Vec<i64>, Value) {
    let mut child = database.source(&database.config_with(json!({})), streams, None);
    let mut seen = Vec::new();
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
    (seen, state.unwrap())
}

#[test]
fn a_killed_read_resumes_from_its_last_state_while_rows_are_written() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, at int NOT NULL, filler text); \
         INSERT INTO t SELECT seq, seq / 7, repeat('x', 500) FROM seq_1_to_60000",
    );
    let streams = by(&database, "at");
    let (mut seen, state) = killed(&database, &streams);
    // The state lies within rows that share a value; some of them change, and one comes.
    database.sql(
        "UPDATE t SET filler = 'y' WHERE at BETWEEN 1000 AND 2000; \
         INSERT INTO t VALUES (60001, 60000 / 7, 'x')",
    );
    let run = database.read(&streams, Some(&state)).ok();
    assert!(run.records().len() < 60_000, "everything was read again");
    seen.extend(integers(&run, "id"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 60_001);
}

#[test]
fn a_killed_full_refresh_resumes_behind_the_last_key() {
    let database = Database::new(
        "CREATE TABLE t (a varchar(20) COLLATE utf8mb4_general_ci, b varbinary(8), \
         e enum('z', 'y', 'x', 'w'), id int, filler text, PRIMARY KEY (a, e, b)); \
         INSERT INTO t SELECT concat('K', seq % 3), unhex(lpad(hex(seq), 6, '0')), 1 + seq % 4, seq, \
         repeat('x', 300) FROM seq_1_to_60000",
    );
    let streams = [configured(&database.stream("t"), json!({}))];
    let (mut seen, state) = killed(&database, &streams);
    assert_eq!(seen.len(), 10_000);
    let run = database.read(&streams, Some(&state)).ok();
    seen.extend(integers(&run, "id"));
    assert_eq!(seen.len(), 60_000, "the rest, and nothing twice");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 60_000);
}

#[test]
fn a_cursor_that_is_none_is_refused_by_name() {
    let database = Database::new("CREATE TABLE t (id int, b blob)");
    for (cursor, words) in [
        ("b", "has no order to read by"),
        ("x", "has no column x for a cursor"),
    ] {
        let run = database.read(&by(&database, cursor), None);
        assert_eq!(run.code, 1);
        let said = run.error()["message"].as_str().unwrap().to_owned();
        assert!(said.ends_with(words), "{said}");
    }
}

#[test]
fn a_cursor_of_another_type_starts_over() {
    let database = Database::new(
        "CREATE TABLE t (id int, c varchar(9)); INSERT INTO t VALUES (1, '9'), (2, '10')",
    );
    let streams = by(&database, "c");
    let first = database.read(&streams, None).ok();
    database.sql("ALTER TABLE t MODIFY c int");
    let second = database.read(&streams, Some(&last(&first))).ok();
    assert_eq!(sorted(&second), [1, 2]);
}
