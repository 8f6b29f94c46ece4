//! `source-mysql` by the binary log.

use serde_json::{Value, json};

use super::given::{Database, last};
use super::round_trip::{cases, copied, lines};
use crate::given::{Run, configured, finish};
use crate::postgres::given::Database as Postgres;

fn method() -> Value {
    json!({ "replication_method": { "method": "CDC" } })
}

fn incremental() -> Value {
    json!({
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup",
        "primary_key": [["id"]], "cursor_field": ["_ab_cdc_cursor"],
    })
}

fn offered(database: &Database) -> Value {
    let mut streams = database.discover_with(method());
    streams.retain(|stream| stream["name"] == "t");
    streams.remove(0)
}

fn read(database: &Database, state: Option<&Value>) -> Run {
    let streams = [configured(&offered(database), incremental())];
    database.read_with(method(), &streams, state)
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
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); \
         CREATE TABLE nokey (id int)",
    );
    let streams = database.discover_with(method());
    assert_eq!(streams[0]["supported_sync_modes"], json!(["full_refresh"]));
    assert_eq!(streams[1]["source_defined_cursor"], json!(true));
    assert_eq!(
        streams[1]["default_cursor_field"],
        json!(["_ab_cdc_cursor"])
    );
    let first = read(&database, None).ok();
    assert_eq!(seen(&first), ["1 a"]);
    database.sql("UPDATE t SET v = 'b'");
    database.sql("BEGIN; INSERT INTO t VALUES (2, 'c'); DELETE FROM t WHERE id = 2; COMMIT");
    database.sql("BEGIN; INSERT INTO t VALUES (9, 'never'); ROLLBACK");
    // What follows is in another file.
    database.sql("FLUSH BINARY LOGS");
    database.sql("UPDATE t SET id = 3; INSERT INTO nokey VALUES (1)");
    let second = read(&database, Some(&last(&first))).ok();
    assert_eq!(
        seen(&second),
        ["1 b", "2 c", "2 deleted", "1 deleted", "3 b"]
    );
    let cursor = |run: &Run| {
        run.records().pop().unwrap()["_ab_cdc_cursor"]
            .as_i64()
            .unwrap()
    };
    assert!(cursor(&second) > cursor(&first));
    let moved = second.records().pop().unwrap();
    let file = |record: &Value| record["_ab_cdc_log_file"].as_str().unwrap().to_owned();
    let number = |file: String| file.rsplit_once('.').unwrap().1.parse::<u32>().unwrap();
    assert!(number(file(&moved)) > number(file(&first.records()[0])));
    assert!(moved["_ab_cdc_log_pos"].as_i64().unwrap() > 0);
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
    assert_eq!(third.statuses(), ["t STARTED", "t COMPLETE"]);
}

/// A record's data without its timestamps.
fn cells(record: &Value) -> Value {
    let mut data = record.clone();
    let members = data.as_object_mut().unwrap();
    members.retain(|name, _| !name.starts_with("_ab_cdc_"));
    data
}

#[test]
fn values_of_the_log_are_those_of_the_table() {
    let mut cases = cases();
    // Their bytes in the log are the server's own.
    cases.retain(|case| !["uuid", "inet6"].contains(&case.0));
    let more: [(&str, &str); 9] = [
        ("datetime(3)", "'0000-00-00'"),
        ("time", "'838:59:59'"),
        ("timestamp", "'1970-01-01 00:00:01'"),
        ("enum('A','it''s','b')", "'it''s'"),
        ("set('X','y')", "''"),
        ("decimal(10,5)", "'-0.00001'"),
        ("double", "1e300"),
        ("float", "-3.4028235e38"),
        ("char(9) character set koi8r", "'\u{43f}\u{440}\u{438}'"),
    ];
    let mut columns: Vec<String> = Vec::new();
    let mut values: Vec<&str> = Vec::new();
    for (kind, value) in cases.iter().map(|case| (case.0, case.1)).chain(more) {
        columns.push(format!("c{} {kind} NULL", columns.len()));
        values.push(value);
    }
    let database = Database::new(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, {})",
        columns.join(", ")
    ));
    let first = read(&database, None).ok();
    database.sql(&format!(
        "SET sql_mode = '', time_zone = '+05:30'; INSERT INTO t VALUES (1, {}); INSERT INTO t (id) VALUES (2)",
        values.join(", ")
    ));
    let changes = read(&database, Some(&last(&first))).ok();
    let snapshot = read(&database, None).ok();
    assert_eq!(changes.records().len(), 2);
    for (changed, row) in changes.records().iter().zip(snapshot.records()) {
        let (changed, row) = (cells(changed), cells(&row));
        for (name, value) in row.as_object().unwrap() {
            let kind = columns.iter().find(|c| c.starts_with(&format!("{name} ")));
            assert_eq!(&changed[name], value, "{kind:?}");
        }
    }
}

#[test]
fn columns_that_change_in_between_are_distinguished() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, a int, v varchar(9)); INSERT INTO t VALUES (1, 5, 'x')",
    );
    let first = read(&database, None).ok();
    database.sql("INSERT INTO t VALUES (2, 6, 'old'); CREATE TABLE other (t int)");
    database.sql("INSERT INTO t VALUES (9, 9, 'older')");
    // A column of the same type takes the place of another.
    database.sql("ALTER TABLE t DROP a, ADD b int FIRST");
    database.sql("INSERT INTO t VALUES (7, 3, 'new'); DELETE FROM t WHERE id = 2");
    let second = read(&database, Some(&last(&first))).ok();
    assert_eq!(seen(&second), ["2 old", "9 older", "3 new", "2 deleted"]);
    let records = second.records();
    assert_eq!(
        (&records[0]["a"], &records[0]["b"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(records[2]["b"], json!(7));
    // Two such changes between two reads: what was between them is not known.
    database.sql("ALTER TABLE t ADD c int");
    database.sql("INSERT INTO t VALUES (8, 4, 'between', 1)");
    database.sql("ALTER TABLE t DROP c, ADD d text, ADD e text");
    let third = read(&database, Some(&last(&second)));
    assert_eq!(third.code, 1);
    let said = third.error()["message"].as_str().unwrap().to_owned();
    assert!(said.contains("refresh the stream"), "{said}");
}

#[test]
fn syncs_under_writes_end_equal() {
    let mysql = Database::new(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(60), n decimal(20,5)); \
         INSERT INTO t (v, n) SELECT concat('v', seq), seq / 7 FROM seq_1_to_3000",
    );
    let postgres = Postgres::new("");
    let stream = offered(&mysql);
    let (from, to) = (
        [configured(&stream, incremental())],
        [copied(&stream, incremental())],
    );
    let mut state: Option<Value> = None;
    for round in 0..4 {
        let run = std::thread::scope(|scope| {
            // There are no writers in the last round.
            let writing = (round < 3).then(|| {
                scope.spawn(|| {
                    for n in 0..30 {
                        mysql.sql(&format!(
                            "UPDATE t SET v = 'changed {round}' WHERE id % 300 = {n}; \
                             DELETE FROM t WHERE id % 500 = {n} AND id > {round} * 500; \
                             UPDATE t SET id = -id WHERE id % 700 = {n} AND id > 0; \
                             INSERT INTO t (v, n) VALUES ('new {round}', {n})"
                        ));
                    }
                })
            });
            let run = mysql.read_with(method(), &from, state.as_ref()).ok();
            if let Some(writing) = writing {
                writing.join().unwrap();
            }
            run
        });
        finish(postgres.destination(&to), &lines(&run, &mysql)).ok();
        state = run.states().pop();
    }
    let plain = mysql.stream("t");
    let whole = mysql.read(&[configured(&plain, json!({}))], None).ok();
    let mut rows: Vec<String> = whole
        .records()
        .iter()
        .map(|r| format!("{}|{}", r["id"], r["v"].as_str().unwrap()))
        .collect();
    rows.sort();
    let mut copy = postgres.lines("SELECT id, v FROM t");
    copy.sort();
    assert_eq!(copy, rows);
}

#[test]
fn a_purged_log_is_reported_or_everything_is_read_again() {
    let database =
        Database::new("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')");
    let mut state = last(&read(&database, None).ok());
    state["global"]["shared_state"]["log_file"] = json!("gone.000001");
    let streams = [configured(&offered(&database), incremental())];
    let run = database.read_with(method(), &streams, Some(&state));
    assert_eq!(run.code, 1);
    let said = run.error()["message"].as_str().unwrap().to_owned();
    assert!(
        said.contains("no longer has what comes after gone.000001"),
        "{said}"
    );
    let resyncs = json!({ "replication_method": { "method": "CDC", "invalid_cdc_cursor_position_behavior": "Re-sync data" } });
    let run = database.read_with(resyncs, &streams, Some(&state)).ok();
    assert_eq!(seen(&run), ["1 a"]);
}

#[test]
fn a_user_without_the_right_to_replicate_is_reported() {
    let database = Database::new("CREATE TABLE t (id int PRIMARY KEY)");
    let user = format!("u{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    database.sql(&format!(
        "CREATE USER {user}@'%' IDENTIFIED BY 'pw'; GRANT SELECT ON {}.* TO {user}@'%'",
        database.name
    ));
    let mut config = method();
    config["username"] = json!(user);
    config["password"] = json!("pw");
    let said = database.verdict(&config);
    database.sql(&format!("DROP USER {user}@'%'"));
    assert!(
        said.starts_with("\"username\": CDC needs the rights REPLICATION"),
        "{said}"
    );
}
