//! `destination-postgres`: when older generations go, and what an interrupted one leaves behind.

use serde_json::{Value, json};

use super::given::Database;
use crate::given::{complete, configured, record, state, stream, whole};

fn generation(id: i64, minimum: i64) -> [Value; 1] {
    let settings = json!({ "generation_id": id, "minimum_generation_id": minimum });
    [configured(&stream("t", json!({ "id": whole() })), settings)]
}

fn row(id: i64) -> Value {
    record("t", json!({ "id": id }))
}

fn ids(database: &Database) -> Vec<i64> {
    let lines = database.lines("SELECT id FROM t ORDER BY id");
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

fn tables(database: &Database) -> Vec<String> {
    database.lines("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
}

#[test]
fn older_rows_go_when_the_stream_completed() {
    let database = Database::new("");
    database
        .write(&generation(1, 1), &[row(1), row(2), complete("t")])
        .ok();
    database.sql("CREATE VIEW mine AS SELECT count(*) AS n FROM t");
    database
        .write(&generation(2, 2), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&database), [3]);
    assert_eq!(
        database.lines("SELECT _airbyte_generation_id FROM t"),
        ["2"]
    );
    assert_eq!(database.lines("SELECT n FROM mine"), ["1"]);
    assert_eq!(tables(&database), ["t"]);
}

#[test]
fn readers_and_their_rights_survive_a_replacement() {
    let database = Database::new("");
    database
        .write(&generation(1, 1), &[row(1), complete("t")])
        .ok();
    let role = format!("analyst_of_{}", database.name);
    database.sql(&format!("CREATE ROLE {role}; GRANT SELECT ON t TO {role}"));
    let mut reader = database.session();
    reader.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    database
        .write(&generation(2, 2), &[row(2), row(3), complete("t")])
        .ok();
    let may = database.lines(&format!(
        "SELECT has_table_privilege('{role}', 't', 'SELECT')"
    ));
    database.sql(&format!("REVOKE ALL ON t FROM {role}; DROP ROLE {role}"));
    assert_eq!(may, ["true"]);
    assert_eq!(ids(&database), [2, 3]);
    // With a view on it, the table is refilled; a reader in an older snapshot keeps its rows.
    database.sql("CREATE VIEW mine AS SELECT id FROM t");
    reader.sql("COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 / (count(*) - 1) FROM t");
    reader.sql("SAVEPOINT before");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            database
                .write(&generation(3, 3), &[row(4), complete("t")])
                .ok()
        });
        writing.join().unwrap();
    });
    reader.sql("SELECT 1 / (CASE WHEN count(*) = 2 THEN 1 ELSE 0 END) FROM t; COMMIT");
    assert_eq!(database.lines("SELECT id FROM mine"), ["4"]);
}

#[test]
fn a_clear_leaves_an_empty_table() {
    let database = Database::new("");
    database.write(&generation(1, 0), &[row(1)]).ok();
    database.write(&generation(2, 2), &[complete("t")]).ok();
    assert_eq!(ids(&database), [0_i64; 0]);
}

#[test]
fn without_completion_old_rows_stay_and_the_same_generation_continues() {
    let database = Database::new("");
    database.write(&generation(1, 0), &[row(1)]).ok();
    let run = database
        .write(&generation(2, 2), &[row(2), state("t", json!({}))])
        .ok();
    assert_eq!(run.states().len(), 1);
    assert_eq!(ids(&database), [1]);
    database
        .write(&generation(2, 2), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&database), [2, 3]);
    assert_eq!(tables(&database), ["t"]);
}

#[test]
fn a_later_generation_drops_an_interrupted_one() {
    let database = Database::new("");
    database.write(&generation(1, 0), &[row(1)]).ok();
    database.write(&generation(2, 2), &[row(2)]).ok();
    database
        .write(&generation(3, 3), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&database), [3]);
    database.write(&generation(4, 4), &[row(4)]).ok();
    database.write(&generation(5, 0), &[row(5)]).ok();
    assert_eq!(ids(&database), [3, 5]);
    assert_eq!(tables(&database), ["t"]);
}

#[test]
fn acknowledged_rows_of_an_interrupted_refresh_are_not_lost_to_the_next_sync() {
    let database = Database::new("");
    let deduped = |id: i64, minimum: i64| {
        let settings = json!({
            "generation_id": id, "minimum_generation_id": minimum, "sync_mode": "incremental",
            "destination_sync_mode": "append_dedup", "primary_key": [["id"]],
        });
        [configured(&stream("t", json!({ "id": whole() })), settings)]
    };
    database.write(&deduped(1, 0), &[row(1), row(2)]).ok();
    let run = database
        .write(
            &deduped(2, 2),
            &[row(2), row(3), state("t", json!({ "at": 3 }))],
        )
        .ok();
    assert_eq!(run.states().len(), 1);
    // According to the saved state, 2 and 3 were written: the next sync sends only 4.
    database
        .write(&deduped(2, 0), &[row(4), complete("t")])
        .ok();
    assert_eq!(ids(&database), [1, 2, 3, 4]);
    assert_eq!(tables(&database), ["t"]);
}

#[test]
fn a_generation_that_completed_is_not_emptied_by_another_attempt() {
    let database = Database::new("");
    database.write(&generation(1, 0), &[row(1)]).ok();
    database
        .write(
            &generation(2, 2),
            &[row(2), state("t", json!({})), complete("t")],
        )
        .ok();
    // Another stream failed, so the job tries again; this one resumes from its state.
    database.write(&generation(2, 2), &[complete("t")]).ok();
    assert_eq!(ids(&database), [2]);
    database
        .write(&generation(2, 2), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&database), [2, 3]);
    assert_eq!(tables(&database), ["t"]);
}

#[test]
fn rows_of_older_generations_beside_the_present_one_go_at_its_completion() {
    let database = Database::new("");
    database.write(&generation(1, 0), &[row(1)]).ok();
    database.write(&generation(2, 0), &[row(2)]).ok();
    database.write(&generation(2, 2), &[row(3)]).ok();
    assert_eq!(ids(&database), [1, 2, 3]);
    database.write(&generation(2, 2), &[complete("t")]).ok();
    assert_eq!(ids(&database), [2, 3]);
}

#[test]
fn a_merge_refresh_keeps_rows_under_the_new_generation() {
    let database = Database::new("");
    database.write(&generation(1, 0), &[row(1)]).ok();
    database
        .write(&generation(2, 0), &[row(1), row(2), complete("t")])
        .ok();
    let rows = database.lines("SELECT id, _airbyte_generation_id FROM t ORDER BY id, 2");
    assert_eq!(rows, ["1|1", "1|2", "2|2"]);
}

#[test]
fn deduplication_works_within_a_replaced_table_and_after() {
    let database = Database::new("");
    let deduped = |id: i64, minimum: i64| {
        let settings = json!({
            "generation_id": id, "minimum_generation_id": minimum,
            "destination_sync_mode": "append_dedup", "primary_key": [["id"]],
        });
        [configured(&stream("t", json!({ "id": whole() })), settings)]
    };
    for generation in 1..4 {
        database
            .write(
                &deduped(generation, generation),
                &[row(1), row(1), row(2), complete("t")],
            )
            .ok();
        assert_eq!(ids(&database), [1, 2]);
    }
    database.write(&deduped(3, 0), &[row(2), row(3)]).ok();
    assert_eq!(ids(&database), [1, 2, 3]);
    let indexes = database.lines("SELECT indexname FROM pg_indexes WHERE tablename = 't'");
    assert_eq!(indexes.len(), 1, "{indexes:?}");
}

#[test]
fn a_platform_without_generations_gets_no_such_column_and_its_overwrite() {
    let database = Database::new("");
    let bare = |mode: &str| {
        [json!({
            "stream": stream("t", json!({ "id": whole() })), "sync_mode": "full_refresh", "destination_sync_mode": mode,
        })]
    };
    database.write(&bare("append"), &[row(1)]).ok();
    database.write(&bare("append"), &[row(2)]).ok();
    assert_eq!(ids(&database), [1, 2]);
    let column = "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass \
        AND attname = '_airbyte_generation_id'";
    assert!(database.lines(column).is_empty());
    database.write(&bare("overwrite"), &[row(3)]).ok();
    assert_eq!(ids(&database), [3]);
    database.write(&generation(1, 0), &[row(4)]).ok();
    assert_eq!(ids(&database), [3, 4]);
}
