//! Incremental reads: order, checkpoints, and rows that share a cursor value.

use serde_json::{Value, json};

use crate::given::{Folder, Run, configured};

fn ids(run: &Run) -> Vec<i64> {
    run.records()
        .iter()
        .map(|record| record["id"].as_i64().unwrap())
        .collect()
}

struct Orders {
    folder: Folder,
    stream: Value,
}

impl Orders {
    fn new(rows: &str) -> Self {
        let folder = Folder::new();
        folder.sql(
            "shop.db",
            &format!(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TEXT, note TEXT);
                 INSERT INTO orders VALUES {rows};"
            ),
        );
        let stream = folder.discover("shop.db").remove(0);
        let settings = json!({ "sync_mode": "incremental", "cursor_field": ["updated_at"] });
        Self {
            stream: configured(&stream, settings),
            folder,
        }
    }

    fn read(&self, state: Option<&Value>) -> Run {
        let state = state.map(|state| json!([state]));
        self.folder
            .read("shop.db", std::slice::from_ref(&self.stream), state)
            .ok()
    }

    fn sql(&self, statements: &str) {
        self.folder.sql("shop.db", statements);
    }
}

fn last(run: &Run) -> Value {
    run.states().last().unwrap().clone()
}

#[test]
fn rows_come_in_the_cursors_order_and_only_once() {
    let orders =
        Orders::new("(1, '2024-03-01', 'c'), (2, '2024-01-01', 'a'), (3, '2024-02-01', 'b')");
    let first = orders.read(None);
    assert_eq!(ids(&first), [2, 3, 1]);
    let state = last(&first);
    assert_eq!(state["type"], "STREAM");
    assert_eq!(
        state["stream"]["stream_state"]["cursor_field"],
        "updated_at"
    );
    assert_eq!(state["stream"]["stream_state"]["cursor"], "2024-03-01");
    assert_eq!(state["sourceStats"]["recordCount"], 3.0);
    let second = orders.read(Some(&state));
    assert_eq!(ids(&second), [0_i64; 0]);
    assert_eq!(last(&second)["stream"], state["stream"]);
    orders.sql("INSERT INTO orders VALUES (4, '2024-04-01', 'd'); UPDATE orders SET updated_at = '2024-05-01' WHERE id = 2");
    let third = orders.read(Some(&state));
    assert_eq!(ids(&third), [4, 2]);
    assert_eq!(ids(&orders.read(Some(&last(&third)))), [0_i64; 0]);
}

#[test]
fn a_change_under_a_cursor_value_already_seen_is_not_lost() {
    let orders = Orders::new("(1, '2024-01-01', 'a'), (2, '2024-02-01', 'b')");
    let state = last(&orders.read(None));
    orders.sql("INSERT INTO orders VALUES (3, '2024-02-01', 'same moment')");
    let run = orders.read(Some(&state));
    assert_eq!(ids(&run), [2, 3]);
    let state = last(&run);
    assert_eq!(ids(&orders.read(Some(&state))), [0_i64; 0]);
    // As many rows as before, but another content.
    orders.sql("UPDATE orders SET note = 'again' WHERE id = 3");
    assert_eq!(ids(&orders.read(Some(&state))), [2, 3]);
    orders.sql("DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (5, '2024-02-01', 'same moment')");
    assert_eq!(ids(&orders.read(Some(&state))), [2, 5]);
}

#[test]
fn rows_without_a_cursor_are_read_when_they_change() {
    let orders = Orders::new("(1, NULL, 'a'), (2, '2024-02-01', 'b')");
    let first = orders.read(None);
    assert_eq!(ids(&first), [1, 2]);
    let state = last(&first);
    assert_eq!(ids(&orders.read(Some(&state))), [0_i64; 0]);
    orders.sql("INSERT INTO orders VALUES (3, NULL, 'late'), (4, '2024-03-01', 'd')");
    let run = orders.read(Some(&state));
    assert_eq!(ids(&run), [1, 3, 4]);
    assert_eq!(ids(&orders.read(Some(&last(&run)))), [0_i64; 0]);
}

#[test]
fn a_checkpoint_continues_where_it_was_made() {
    let orders = Orders::new("(0, NULL, 'z')");
    orders.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
         INSERT INTO orders SELECT i, '2024-01-' || printf('%06d', i / 7), 'n' FROM n;",
    );
    let whole = orders.read(None);
    assert_eq!(whole.records().len(), 25_001);
    let states = whole.states();
    assert_eq!(states.len(), 3);
    // The first one is due after 10,000 rows, and waits for the end of the seven that share a value.
    assert_eq!(states[0]["sourceStats"]["recordCount"], 10_003.0);
    let position = whole
        .messages
        .iter()
        .position(|m| m["type"] == "STATE")
        .unwrap();
    let before: Vec<i64> = whole.messages[..position]
        .iter()
        .filter(|m| m["type"] == "RECORD")
        .map(|m| m["record"]["data"]["id"].as_i64().unwrap())
        .collect();
    let resumed = ids(&orders.read(Some(&states[0])));
    let mut all: Vec<i64> = before.iter().chain(&resumed).copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..=25_000).collect::<Vec<_>>(), "each row comes once");
}

#[test]
fn a_state_about_another_column_starts_over() {
    let orders = Orders::new("(1, '2024-01-01', 'a')");
    let mut state = last(&orders.read(None));
    state["stream"]["stream_state"]["cursor_field"] = json!("note");
    let run = orders.read(Some(&state));
    assert_eq!(ids(&run), [1]);
    assert!(
        run.of("LOG", "log")[0]["message"]
            .as_str()
            .unwrap()
            .contains("all rows are read")
    );
    state["stream"]["stream_state"] = Value::Null;
    assert_eq!(ids(&orders.read(Some(&state))), [1]);
    let none = orders.folder.read(
        "shop.db",
        std::slice::from_ref(&orders.stream),
        Some(json!({})),
    );
    assert_eq!(ids(&none.ok()), [1]);
}

#[test]
fn numeric_cursors_are_exact() {
    let folder = Folder::new();
    folder.sql(
        "n.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, big INTEGER);
         INSERT INTO t VALUES (1, 0.1 + 0.2, 9007199254740993), (2, 0.3, 9007199254740992);",
    );
    let stream = folder.discover("n.db").remove(0);
    for cursor in ["r", "big"] {
        let stream = configured(
            &stream,
            json!({ "sync_mode": "incremental", "cursor_field": [cursor] }),
        );
        let run = folder
            .read("n.db", std::slice::from_ref(&stream), None)
            .ok();
        assert_eq!(ids(&run), [2, 1], "{cursor}");
        let again = folder
            .read(
                "n.db",
                std::slice::from_ref(&stream),
                Some(json!([last(&run)])),
            )
            .ok();
        assert_eq!(ids(&again), [0_i64; 0], "{cursor}");
    }
}

#[test]
fn a_cursor_that_is_missing_or_has_no_order_is_refused() {
    let folder = Folder::new();
    folder.sql(
        "n.db",
        "CREATE TABLE t (id INTEGER, b BLOB, x); INSERT INTO t VALUES (1, x'00', x'00')",
    );
    let stream = folder.discover("n.db").remove(0);
    for cursor in [json!([]), json!(["gone"]), json!(["b"]), json!(["x"])] {
        let configured = configured(
            &stream,
            json!({ "sync_mode": "incremental", "cursor_field": cursor }),
        );
        let run = folder.read("n.db", &[configured], None);
        assert_eq!(
            (run.code, &run.error()["failure_type"]),
            (1, &json!("config_error")),
            "{cursor}"
        );
        assert_eq!(run.statuses().last().unwrap(), "t INCOMPLETE");
    }
}
