//! `source-postgres` by logical replication.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::given::Database;
use super::round_trip::{completed, copied, lines};
use crate::given::{Run, configured, finish};

/// A database with a publication of its tables and a slot.
fn captured(statements: &str) -> Database {
    let database = Database::new(statements);
    let level = database.lines("SELECT current_setting('wal_level')");
    assert_eq!(
        level,
        ["logical"],
        "the tests' server has to be started with wal_level=logical"
    );
    database.sql("CREATE PUBLICATION changes FOR TABLES IN SCHEMA public");
    database.sql(&format!(
        "SELECT pg_create_logical_replication_slot('{}', 'pgoutput')",
        database.name
    ));
    database
}

fn config_with(database: &Database, method: Value) -> Value {
    let mut settings = json!({
        "method": "CDC", "replication_slot": database.name, "publication": "changes",
    });
    for (name, value) in method.as_object().unwrap() {
        settings[name] = value.clone();
    }
    database.config_with(json!({ "replication_method": settings }))
}

fn config(database: &Database) -> Value {
    config_with(database, json!({}))
}

fn incremental() -> Value {
    json!({
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup",
        "primary_key": [["id"]], "cursor_field": ["_ab_cdc_lsn"],
    })
}

fn offered(database: &Database, name: &str) -> Value {
    let mut streams = database.discover_with(&config(database));
    streams.retain(|stream| stream["name"] == name && stream["namespace"] == "public");
    streams.remove(0)
}

fn read(database: &Database, state: Option<&Value>) -> Run {
    let streams = [configured(&offered(database, "t"), incremental())];
    database.read_with(&config(database), &streams, state)
}

fn last(run: &Run) -> Value {
    run.states().pop().unwrap()
}

fn confirmed(database: &Database) -> String {
    let sql = format!(
        "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
        database.name
    );
    database.lines(&sql).remove(0)
}

/// Values of `v` with a mark for deletions, in the order of the records.
fn seen(run: &Run) -> Vec<String> {
    let of = |record: Value| {
        let id = &record["id"];
        match record["_ab_cdc_deleted_at"].is_null() {
            true => format!("{id} {}", record["v"].as_str().unwrap_or("-")),
            false => format!("{id} deleted"),
        }
    };
    run.records().into_iter().map(of).collect()
}

#[test]
fn a_snapshot_is_followed_by_every_change() {
    let database = captured("CREATE TABLE t (id int PRIMARY KEY, v text, big text, m money)");
    database.sql("ALTER TABLE t ALTER big SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, 'a', repeat('x', 9000), '$1.50')");
    let first = read(&database, None).ok();
    assert_eq!(seen(&first)[0], "1 a");
    database.sql("UPDATE t SET v = 'b'");
    database.sql("INSERT INTO t VALUES (2, 'c'); DELETE FROM t WHERE id = 2");
    database.sql("UPDATE t SET id = 3, m = '-$1,234.50'");
    let second = read(&database, Some(&last(&first))).ok();
    assert_eq!(
        seen(&second),
        ["1 b", "2 c", "2 deleted", "1 deleted", "3 b"]
    );
    let moved = second.records().pop().unwrap();
    // The log has no value for what is large and did not change.
    assert_eq!(moved["big"].as_str().unwrap().len(), 9000);
    assert!(second.text.contains("\"m\":-1234.50"));
    assert!(
        moved["_ab_cdc_lsn"].as_i64().unwrap()
            > first.records()[0]["_ab_cdc_lsn"].as_i64().unwrap()
    );
    assert!(moved["_ab_cdc_updated_at"].as_str().unwrap().ends_with('Z'));
    assert!(
        second
            .states()
            .iter()
            .all(|state| state["type"] == "GLOBAL")
    );
    assert_eq!(last(&second)["sourceStats"]["recordCount"], json!(5.0));
    let third = read(&database, Some(&last(&second))).ok();
    assert_eq!(seen(&third), [""; 0]);
}

#[test]
fn a_large_value_that_is_lost_is_reported() {
    let database = captured("CREATE TABLE t (id int PRIMARY KEY, v text, big text)");
    database.sql("ALTER TABLE t ALTER big SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, 'a', repeat('x', 9000))");
    let first = read(&database, None).ok();
    database.sql("UPDATE t SET v = 'b'");
    database.sql("DELETE FROM t");
    let second = read(&database, Some(&last(&first))).ok();
    assert_eq!(seen(&second), ["1 b", "1 deleted"]);
    let change = json!({ "field": "big", "change": "NULLED", "reason": "SOURCE_RETRIEVAL_ERROR" });
    assert_eq!(
        second.of("RECORD", "record")[0]["meta"]["changes"],
        json!([change])
    );
}

#[test]
fn the_slot_advances_only_for_a_returned_state() {
    let database = captured("CREATE TABLE t (id int PRIMARY KEY, v text)");
    let first = read(&database, None).ok();
    database.sql("INSERT INTO t VALUES (1, 'a')");
    let stored = last(&first);
    let second = read(&database, Some(&stored)).ok();
    let before = confirmed(&database);
    // The platform did not store what came of the second read.
    let again = read(&database, Some(&stored)).ok();
    assert_eq!(seen(&again), seen(&second));
    assert_eq!(confirmed(&database), before);
    read(&database, Some(&last(&again))).ok();
    assert_ne!(confirmed(&database), before);
    let slots =
        database.lines("SELECT 1 FROM pg_replication_slots WHERE database = current_database()");
    assert_eq!(slots.len(), 1, "copies of the slot are left behind");
}

#[test]
fn syncs_under_writes_end_equal() {
    let database = captured(
        "CREATE TABLE t (id serial PRIMARY KEY, v text, n numeric, big text); \
         ALTER TABLE t ALTER big SET STORAGE EXTERNAL; \
         INSERT INTO t (v, n, big) SELECT 'v' || n, n / 7.0, CASE WHEN n % 10 = 0 THEN repeat('y', 3000) END \
         FROM generate_series(1, 3000) AS n",
    );
    let stream = offered(&database, "t");
    let (from, to) = (
        [configured(&stream, incremental())],
        [copied(&stream, &incremental())],
    );
    let mut state: Option<Value> = None;
    for round in 0..4 {
        let run = std::thread::scope(|scope| {
            // There are no writers in the last round.
            let writing = (round < 3).then(|| {
                scope.spawn(|| {
                    for n in 0..30 {
                        database.sql(&format!(
                            "UPDATE t SET v = 'changed {round}' WHERE id % 300 = {n}; \
                             DELETE FROM t WHERE id % 500 = {n} AND id > {round} * 500; \
                             UPDATE t SET id = id + 1000000 WHERE id % 700 = {n} AND id < 10000; \
                             INSERT INTO t (v, n) VALUES ('new {round}', {n})"
                        ));
                    }
                })
            });
            let run = database
                .read_with(&config(&database), &from, state.as_ref())
                .ok();
            if let Some(writing) = writing {
                writing.join().unwrap();
            }
            run
        });
        finish(database.destination(&to), &(lines(&run) + &completed("t"))).ok();
        state = run.states().pop();
    }
    let difference = "(SELECT id, v, n, big FROM t EXCEPT SELECT id, v, n, big FROM copy.t) \
        UNION ALL (SELECT id, v, n, big FROM copy.t EXCEPT SELECT id, v, n, big FROM t)";
    assert!(database.lines(difference).is_empty());
    let counts = database.lines("SELECT (SELECT count(*) FROM t) = (SELECT count(*) FROM copy.t)");
    assert_eq!(counts, ["true"]);
}

#[test]
fn a_killed_snapshot_resumes_and_misses_no_change() {
    let database = captured(
        "CREATE TABLE t (id int PRIMARY KEY, v text); \
         INSERT INTO t SELECT n, repeat('x', 400) FROM generate_series(1, 60000) AS n",
    );
    let streams = [configured(&offered(&database, "t"), incremental())];
    let mut child = database.source(&config(&database), &streams, None);
    let mut records: Vec<Value> = Vec::new();
    let mut state = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match message["type"].as_str().unwrap() {
            "RECORD" => records.push(message["record"]["data"].clone()),
            "STATE" => {
                state = Some(message["state"].clone());
                break;
            }
            _ => {}
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    database.sql("UPDATE t SET v = 'changed' WHERE id = 5; DELETE FROM t WHERE id = 6; INSERT INTO t VALUES (0, 'new')");
    let run = database
        .read_with(&config(&database), &streams, state.as_ref())
        .ok();
    let first_rest = run.records()[0]["id"].as_i64().unwrap();
    assert_eq!(
        first_rest, 10_001,
        "the snapshot did not go on behind the state"
    );
    records.extend(run.records());
    let mut rows: std::collections::BTreeMap<i64, String> = Default::default();
    for record in records {
        let id = record["id"].as_i64().unwrap();
        if record["_ab_cdc_deleted_at"].is_null() {
            rows.insert(id, record["v"].as_str().unwrap().to_owned());
        } else {
            rows.remove(&id);
        }
    }
    assert_eq!(
        (
            rows.len(),
            rows[&5].as_str(),
            rows.get(&6),
            rows[&0].as_str()
        ),
        (60_000, "changed", None, "new")
    );
}

#[test]
fn many_changes_come_with_states_between_them() {
    let database = captured("CREATE TABLE t (id int PRIMARY KEY, v text)");
    let state = last(&read(&database, None).ok());
    for part in 0..5 {
        database.sql(&format!(
            "INSERT INTO t SELECT n, 'v' FROM generate_series({part} * 9000 + 1, ({part} + 1) * 9000) AS n"
        ));
    }
    let run = read(&database, Some(&state)).ok();
    assert_eq!(run.records().len(), 45_000);
    let states = run.states();
    assert!(states.len() >= 3, "{} states", states.len());
    let counted: f64 = states
        .iter()
        .map(|s| s["sourceStats"]["recordCount"].as_f64().unwrap())
        .sum();
    assert_eq!(counted, 45_000.0);
    // Each of them is one to go on from.
    let rest = read(&database, Some(&states[0])).ok();
    let covered = states[0]["sourceStats"]["recordCount"].as_f64().unwrap();
    assert_eq!(rest.records().len() as f64 + covered, 45_000.0);
}

#[test]
fn a_stream_that_joins_later_gets_its_own_snapshot() {
    let database = captured(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); \
         CREATE TABLE u (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); \
         CREATE TABLE u_low PARTITION OF u FOR VALUES FROM (0) TO (10); INSERT INTO u VALUES (1, 'p')",
    );
    let first = read(&database, None).ok();
    database.sql("UPDATE t SET v = 'b'; INSERT INTO u VALUES (2, 'q')");
    let streams = [
        configured(&offered(&database, "t"), incremental()),
        configured(&offered(&database, "u"), incremental()),
    ];
    let second = database
        .read_with(&config(&database), &streams, Some(&last(&first)))
        .ok();
    let mut values = seen(&second);
    values.sort();
    // What came to `u` meanwhile comes by its snapshot and by its change.
    assert_eq!(values, ["1 b", "1 p", "2 q", "2 q"]);
    database.sql("DELETE FROM u WHERE id = 1");
    let third = database
        .read_with(&config(&database), &streams, Some(&last(&second)))
        .ok();
    assert_eq!(seen(&third), ["1 deleted"]);
}

#[test]
fn what_is_not_in_place_is_named() {
    let database = captured("CREATE TABLE t (id int PRIMARY KEY, v text)");
    let name = &database.name;
    database.sql(&format!(
        "SELECT pg_create_logical_replication_slot('{name}_other', 'test_decoding')"
    ));
    let cases = [
        (
            json!({ "replication_slot": "none" }),
            "\"replication_method.replication_slot\": there is no slot none".to_owned(),
        ),
        (
            json!({ "replication_slot": format!("{name}_other") }),
            format!(
                "\"replication_method.replication_slot\": slot {name}_other has the plugin \"test_decoding\""
            ),
        ),
        (
            json!({ "publication": "none" }),
            "\"replication_method.publication\": there is no publication none".to_owned(),
        ),
        (
            json!({ "publication": null }),
            "the configuration needs \"replication_method.publication\"".to_owned(),
        ),
        (
            json!({ "plugin": "wal2json" }),
            "\"replication_method.plugin\" can only be pgoutput".to_owned(),
        ),
    ];
    for (method, words) in cases {
        let run = database
            .command("source-postgres", "check", &config_with(&database, method))
            .ok();
        let status = run.of("CONNECTION_STATUS", "connectionStatus").remove(0);
        let said = status["message"].as_str().unwrap();
        assert!(said.starts_with(&words), "{said}");
    }
    let first = read(&database, None).ok();
    database.sql("INSERT INTO t VALUES (1, 'a')");
    database.sql(&format!(
        "SELECT pg_replication_slot_advance('{name}', pg_current_wal_lsn())"
    ));
    let lost = read(&database, Some(&last(&first)));
    assert_eq!(lost.code, 1);
    assert!(
        lost.error()["message"]
            .as_str()
            .unwrap()
            .contains("changes between them are lost")
    );
    let method = json!({ "invalid_cdc_cursor_position_behavior": "Re-sync data" });
    let streams = [configured(&offered(&database, "t"), incremental())];
    let anew = database
        .read_with(
            &config_with(&database, method),
            &streams,
            Some(&last(&first)),
        )
        .ok();
    assert_eq!(seen(&anew), ["1 a"]);
}
