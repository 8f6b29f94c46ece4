//! `source-postgres` by `xmin`.

use serde_json::{Value, json};

use super::given::{Database, integers};
use crate::given::{Run, configured};

fn config(database: &Database) -> Value {
    database.config_with(json!({ "replication_method": { "method": "Xmin" } }))
}

fn streams(database: &Database) -> [Value; 1] {
    let stream = database.discover_with(&config(database)).remove(0);
    assert_eq!(stream["source_defined_cursor"], json!(true));
    [configured(&stream, json!({ "sync_mode": "incremental" }))]
}

fn read(database: &Database, state: Option<&Value>) -> (Vec<i64>, Value) {
    let run: Run = database
        .read_with(&config(database), &streams(database), state)
        .ok();
    let mut ids = integers(&run, "id");
    ids.sort_unstable();
    (ids, run.states().pop().unwrap())
}

#[test]
fn rows_written_since_the_last_read_are_read() {
    for key in ["PRIMARY KEY", ""] {
        let database = Database::new(&format!(
            "CREATE TABLE t (id int {key}, v text); INSERT INTO t SELECT n, 'x' FROM generate_series(1, 5) AS n"
        ));
        let (ids, state) = read(&database, None);
        assert_eq!(ids, [1, 2, 3, 4, 5]);
        database.sql("UPDATE t SET v = 'y' WHERE id = 2; INSERT INTO t VALUES (6, 'x')");
        let (ids, state) = read(&database, Some(&state));
        assert!(
            ids.contains(&2) && ids.contains(&6) && !ids.contains(&1),
            "{ids:?}"
        );
        // Other databases of the server write too, so that nothing more can be said than this.
        let (ids, _) = read(&database, Some(&state));
        assert!(!ids.contains(&1), "{ids:?}");
    }
}

#[test]
fn a_transaction_that_was_open_during_a_read_is_seen_by_the_next() {
    let database = Database::new("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut late = database.session();
    late.sql("BEGIN; INSERT INTO t VALUES (2)");
    database.sql("INSERT INTO t VALUES (3)");
    let (ids, state) = read(&database, None);
    assert_eq!(ids, [1, 3]);
    late.sql("COMMIT");
    let (ids, _) = read(&database, Some(&state));
    assert!(ids.contains(&2), "{ids:?}");
}

#[test]
fn views_have_no_xmin_to_read_by() {
    let database = Database::new("CREATE VIEW v AS SELECT 1 AS id");
    let stream = database.discover_with(&config(&database)).remove(0);
    assert_eq!(stream["supported_sync_modes"], json!(["full_refresh"]));
}
