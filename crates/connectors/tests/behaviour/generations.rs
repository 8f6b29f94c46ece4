//! Generations: when older rows go, and what an interrupted one leaves behind.

use serde_json::{Value, json};

use crate::given::{Folder, complete, configured, record, state, stream, whole};

fn generation(id: i64, minimum: i64) -> [Value; 1] {
    let settings = json!({ "generation_id": id, "minimum_generation_id": minimum });
    [configured(&stream("t", json!({ "id": whole() })), settings)]
}

fn row(id: i64) -> Value {
    record("t", json!({ "id": id }))
}

fn ids(folder: &Folder) -> Vec<i64> {
    let rows = folder.rows("w.db", "SELECT id FROM t ORDER BY id");
    rows.iter().map(|row| row[0].as_i64().unwrap()).collect()
}

fn tables(folder: &Folder) -> Vec<Value> {
    let rows = folder.rows(
        "w.db",
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    );
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}

#[test]
fn older_rows_go_when_the_stream_completed() {
    let folder = Folder::new();
    folder
        .write("w.db", &generation(1, 1), &[row(1), row(2), complete("t")])
        .ok();
    folder.sql("w.db", "CREATE VIEW mine AS SELECT count(*) AS n FROM t");
    folder
        .write("w.db", &generation(2, 2), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&folder), [3]);
    assert_eq!(
        folder.cell("w.db", "SELECT _airbyte_generation_id FROM t"),
        json!(2)
    );
    assert_eq!(folder.cell("w.db", "SELECT n FROM mine"), json!(1));
    assert_eq!(tables(&folder), ["t"]);
}

#[test]
fn a_clear_leaves_an_empty_table() {
    let folder = Folder::new();
    folder.write("w.db", &generation(1, 0), &[row(1)]).ok();
    folder
        .write("w.db", &generation(2, 2), &[complete("t")])
        .ok();
    assert_eq!(ids(&folder), [0_i64; 0]);
}

#[test]
fn without_completion_old_rows_stay_and_the_same_generation_continues() {
    let folder = Folder::new();
    folder.write("w.db", &generation(1, 0), &[row(1)]).ok();
    let run = folder
        .write("w.db", &generation(2, 2), &[row(2), state("t", json!({}))])
        .ok();
    assert_eq!(run.states().len(), 1);
    assert_eq!(ids(&folder), [1]);
    folder
        .write("w.db", &generation(2, 2), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&folder), [2, 3]);
    assert_eq!(tables(&folder), ["t"]);
}

#[test]
fn a_later_generation_drops_an_interrupted_one() {
    let folder = Folder::new();
    folder.write("w.db", &generation(1, 0), &[row(1)]).ok();
    folder.write("w.db", &generation(2, 2), &[row(2)]).ok();
    folder
        .write("w.db", &generation(3, 3), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&folder), [3]);
    folder.write("w.db", &generation(4, 4), &[row(4)]).ok();
    folder.write("w.db", &generation(5, 0), &[row(5)]).ok();
    assert_eq!(ids(&folder), [3, 5]);
    assert_eq!(tables(&folder), ["t"]);
}

#[test]
fn acknowledged_rows_of_an_interrupted_refresh_are_not_lost_to_the_next_sync() {
    let folder = Folder::new();
    let deduped = |id: i64, minimum: i64| {
        let settings = json!({
            "generation_id": id, "minimum_generation_id": minimum, "sync_mode": "incremental",
            "destination_sync_mode": "append_dedup", "primary_key": [["id"]],
        });
        [configured(&stream("t", json!({ "id": whole() })), settings)]
    };
    folder.write("w.db", &deduped(1, 0), &[row(1), row(2)]).ok();
    let run = folder
        .write(
            "w.db",
            &deduped(2, 2),
            &[row(2), row(3), state("t", json!({ "at": 3 }))],
        )
        .ok();
    assert_eq!(run.states().len(), 1);
    // According to the saved state, 2 and 3 were written: the next sync sends only 4.
    folder
        .write("w.db", &deduped(2, 0), &[row(4), complete("t")])
        .ok();
    assert_eq!(ids(&folder), [1, 2, 3, 4]);
    assert_eq!(tables(&folder), ["t"]);
}

#[test]
fn a_generation_that_completed_is_not_emptied_by_another_attempt() {
    let folder = Folder::new();
    folder.write("w.db", &generation(1, 0), &[row(1)]).ok();
    folder
        .write(
            "w.db",
            &generation(2, 2),
            &[row(2), state("t", json!({})), complete("t")],
        )
        .ok();
    // Another stream failed, so the job tries again; this one resumes from its state.
    folder
        .write("w.db", &generation(2, 2), &[complete("t")])
        .ok();
    assert_eq!(ids(&folder), [2]);
    folder
        .write("w.db", &generation(2, 2), &[row(3), complete("t")])
        .ok();
    assert_eq!(ids(&folder), [2, 3]);
    assert_eq!(tables(&folder), ["t"]);
}

#[test]
fn rows_of_older_generations_beside_the_present_one_go_at_its_completion() {
    let folder = Folder::new();
    folder.write("w.db", &generation(1, 0), &[row(1)]).ok();
    folder.write("w.db", &generation(2, 0), &[row(2)]).ok();
    folder.write("w.db", &generation(2, 2), &[row(3)]).ok();
    assert_eq!(ids(&folder), [1, 2, 3]);
    folder
        .write("w.db", &generation(2, 2), &[complete("t")])
        .ok();
    assert_eq!(ids(&folder), [2, 3]);
}

#[test]
fn a_merge_refresh_keeps_rows_under_the_new_generation() {
    let folder = Folder::new();
    folder.write("w.db", &generation(1, 0), &[row(1)]).ok();
    folder
        .write("w.db", &generation(2, 0), &[row(1), row(2), complete("t")])
        .ok();
    let rows = folder.rows(
        "w.db",
        "SELECT id, _airbyte_generation_id FROM t ORDER BY 1, 2",
    );
    assert_eq!(
        rows,
        [
            [json!(1), json!(1)],
            [json!(1), json!(2)],
            [json!(2), json!(2)]
        ]
    );
}

#[test]
fn deduplication_works_within_a_replaced_table_and_after() {
    let folder = Folder::new();
    let deduped = |id: i64, minimum: i64| {
        let settings = json!({
            "generation_id": id, "minimum_generation_id": minimum,
            "destination_sync_mode": "append_dedup", "primary_key": [["id"]],
        });
        [configured(&stream("t", json!({ "id": whole() })), settings)]
    };
    for generation in 1..4 {
        folder
            .write(
                "w.db",
                &deduped(generation, generation),
                &[row(1), row(1), row(2), complete("t")],
            )
            .ok();
        assert_eq!(ids(&folder), [1, 2]);
    }
    folder.write("w.db", &deduped(3, 0), &[row(2), row(3)]).ok();
    assert_eq!(ids(&folder), [1, 2, 3]);
    let indexes = folder.cell(
        "w.db",
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index'",
    );
    assert_eq!(indexes, json!(1));
}

#[test]
fn a_platform_without_generations_gets_no_such_column_and_its_overwrite() {
    let folder = Folder::new();
    let bare = |mode: &str| {
        [json!({
            "stream": stream("t", json!({ "id": whole() })), "sync_mode": "full_refresh", "destination_sync_mode": mode,
        })]
    };
    folder.write("w.db", &bare("append"), &[row(1)]).ok();
    folder.write("w.db", &bare("append"), &[row(2)]).ok();
    assert_eq!(ids(&folder), [1, 2]);
    let columns = folder.rows("w.db", "SELECT name FROM pragma_table_info('t')");
    assert!(!columns.contains(&vec![json!("_airbyte_generation_id")]));
    folder.write("w.db", &bare("overwrite"), &[row(3)]).ok();
    assert_eq!(ids(&folder), [3]);
    folder.write("w.db", &generation(1, 0), &[row(4)]).ok();
    assert_eq!(ids(&folder), [3, 4]);
}
