//! The native SQLite pair under the engine: what is in the warehouse is what is in the source.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use crate::harness::{Api, Engine, Place, eventually, text};
use crate::restart::Process;

/// Rows that take long enough to be interrupted.
const MANY: i64 = 300_000;

pub(crate) async fn database(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

pub(crate) async fn execute(path: &Path, statements: &str) {
    let mut database = database(path).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
}

/// The rows of a query as text.
pub(crate) async fn rows(path: &Path, query: &str) -> Vec<String> {
    let mut database = database(path).await;
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .fetch_all(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, price REAL,
    updated_at TIMESTAMP);
    INSERT INTO orders VALUES (1, 'tea', 2.5, '2024-01-01T00:00:00Z'),
    (2, 'cup', NULL, '2024-01-02T00:00:00Z');";
const CELLS: &str = "SELECT id || '|' || item || '|' || coalesce(price, 'null') || '|' ||
    substr(updated_at, 1, 10) FROM orders ORDER BY id";

/// A connection from `source.db` to the engine's own warehouse.
pub(crate) async fn onboard(api: &Api, place: &Place, streams: Value) -> String {
    let workspace = api.workspace().await;
    let body = json!({"name": "orders", "workspaceId": workspace,
        "configuration": {"sourceType": "sqlite", "path": place.path("source.db")}});
    let (status, source) = api.post("/sources", body).await;
    assert_eq!(status, 200, "{source}");
    let check = json!({"sourceId": source["sourceId"]});
    let check = api.config_ok("/sources/check_connection", check).await;
    assert_eq!(check["status"], "succeeded", "{check}");
    let (_, destinations) = api.get("/destinations").await;
    let body = json!({"sourceId": source["sourceId"],
        "destinationId": destinations["data"][0]["destinationId"],
        "configurations": {"streams": streams}});
    let (status, connection) = api.post("/connections", body).await;
    assert_eq!(status, 200, "{connection}");
    text(&connection["connectionId"])
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rows_arrive_once_and_a_truncating_refresh_replaces_all() {
    let engine = Engine::start().await;
    let (api, place) = (&engine.api, &engine.place);
    let (source, warehouse) = (place.path("source.db"), place.home().join("warehouse.db"));
    execute(&source, ORDERS).await;
    let streams = json!([{"name": "orders", "syncMode": "incremental_deduped_history",
        "cursorField": ["updated_at"]}]);
    let connection = onboard(api, place, streams).await;
    api.sync(&connection).await;
    assert_eq!(rows(&warehouse, CELLS).await, rows(&source, CELLS).await);

    let change = "UPDATE orders SET item = 'mug', updated_at = '2024-02-01T00:00:00Z' WHERE id = 2;
        INSERT INTO orders VALUES (3, 'pot', 9.0, '2024-02-02T00:00:00Z');";
    execute(&source, change).await;
    let info = api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 2);
    assert_eq!(rows(&warehouse, CELLS).await, rows(&source, CELLS).await);

    execute(&source, "DELETE FROM orders WHERE id = 1").await;
    api.sync(&connection).await;
    assert_eq!(
        rows(&warehouse, CELLS).await.len(),
        3,
        "a cursor does not see deletions"
    );
    let refresh = json!({"connectionId": connection, "refreshMode": "Truncate"});
    let started = api.config_ok("/connections/refresh", refresh).await;
    let ended = api.ended(started["job"]["id"].as_i64().unwrap()).await;
    assert_eq!(ended["job"]["status"], "succeeded", "{ended:#}");
    assert_eq!(rows(&warehouse, CELLS).await, rows(&source, CELLS).await);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_of_the_data_roots_are_refused() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    for path in [engine.place.home().join("airbyte.db"), "/etc/passwd".into()] {
        let body = json!({"name": "s", "workspaceId": workspace,
            "configuration": {"sourceType": "sqlite", "path": path}});
        let (status, source) = api.post("/sources", body).await;
        assert_eq!(status, 200, "{source}");
        let check = json!({"sourceId": source["sourceId"]});
        let check = api.config_ok("/sources/check_connection", check).await;
        assert_eq!(check["status"], "failed", "{path:?}: {check}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_leaves_every_row_once() {
    let place = std::sync::Arc::new(Place::new());
    let (source, warehouse) = (place.path("source.db"), place.home().join("warehouse.db"));
    let fill = format!(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, updated_at TIMESTAMP);
        CREATE TABLE items (id INTEGER PRIMARY KEY, item TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
        INSERT INTO orders SELECT i, 'item ' || i,
            strftime('%Y-%m-%dT%H:%M:%SZ', 1704067200 + i, 'unixepoch') FROM n;
        INSERT INTO items SELECT id, item FROM orders LIMIT 1000;"
    );
    execute(&source, &fill).await;
    let mut engine = Process::start(&place).await;
    let streams = json!([
        {"name": "orders", "syncMode": "incremental_deduped_history",
            "cursorField": ["updated_at"]},
        {"name": "items", "syncMode": "full_refresh_overwrite"},
    ]);
    let connection = onboard(&engine.api, &place, streams).await;
    let job = engine.api.start_sync(&connection).await;
    eventually("records flow", async || {
        let info = engine
            .api
            .config_ok("/jobs/get_light", json!({"id": job}))
            .await;
        match info["job"]["aggregatedStats"]["recordsEmitted"].as_i64() {
            Some(emitted) if emitted > 0 => Ok(()),
            other => Err(format!("{other:?} records")),
        }
    })
    .await;
    engine.kill();
    let engine = Process::start(&place).await;
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    assert_eq!(
        info["attempts"][0]["attempt"]["status"], "failed",
        "the kill came too late"
    );
    for table in ["orders", "items"] {
        let query =
            format!("SELECT count(*) || '|' || count(DISTINCT id) || '|' || sum(id) FROM {table}");
        assert_eq!(
            rows(&warehouse, &query).await,
            rows(&source, &query).await,
            "{table}"
        );
    }
}
