//! The native `source-mysql` under the engine, into the engine's own warehouse.

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};

use crate::harness::{Engine, text};

/// The server, up to a database's name.
fn server() -> String {
    std::env::var("AAM_TEST_MYSQL_URL").unwrap_or_else(|_| {
        panic!("AAM_TEST_MYSQL_URL is not set; scripts/test.sh starts a server and sets it")
    })
}

async fn run(url: &str, statements: &str) {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
    connection.execute(statements).await.unwrap();
    connection.close().await.unwrap();
}

fn configuration(database: &str) -> Value {
    let server = server();
    let (_, rest) = server.split_once("://").unwrap();
    let (credentials, address) = rest.rsplit_once('@').unwrap();
    let (username, password) = credentials.split_once(':').unwrap();
    let (host, port) = address.rsplit_once(':').unwrap();
    json!({
        "sourceType": "mysql", "host": host, "port": port.parse::<u16>().unwrap(),
        "database": database, "username": username, "password": password,
        "replication_method": { "method": "STANDARD" },
    })
}

const CELLS: &str = "SELECT concat_ws('|', id, item, price, date_format(updated_at, '%Y-%m-%dT%H:%i:%s')) \
    FROM orders ORDER BY id";
const COPIED: &str = "SELECT id || '|' || item || '|' || printf('%.2f', price) || '|' || updated_at \
    FROM orders ORDER BY CAST(id AS INTEGER)";

#[tokio::test(flavor = "multi_thread")]
async fn tables_arrive_by_cursor_and_by_full_refresh() {
    let name = format!("aam_{}", uuid::Uuid::new_v4().simple());
    run(
        &server(),
        &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
    )
    .await;
    let url = format!("{}/{name}", server());
    run(
        &url,
        "CREATE TABLE orders (id bigint unsigned PRIMARY KEY, item varchar(40), price decimal(12,2), \
         updated_at datetime); INSERT INTO orders SELECT seq, concat('item \u{1F375} ', seq), seq / 4, \
         '2024-01-01' + interval seq second FROM seq_1_to_25000; \
         CREATE TABLE notes (text varchar(20)); INSERT INTO notes VALUES ('a'), ('b')",
    )
    .await;
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let body =
        json!({ "name": "shop", "workspaceId": workspace, "configuration": configuration(&name) });
    let (status, source) = api.post("/sources", body).await;
    assert_eq!(status, 200, "{source}");
    assert_eq!(
        source["definitionId"],
        "435bb9a5-7887-4809-aa58-28c27df0d7ad"
    );
    assert_ne!(
        source["configuration"]["password"],
        configuration(&name)["password"]
    );
    let check = json!({ "sourceId": source["sourceId"] });
    let check = api.config_ok("/sources/check_connection", check).await;
    assert_eq!(check["status"], "succeeded", "{check}");
    let (_, destinations) = api.get("/destinations").await;
    let body = json!({
        "sourceId": source["sourceId"], "destinationId": destinations["data"][0]["destinationId"],
        "configurations": { "streams": [
            { "name": "orders", "namespace": name, "syncMode": "incremental_deduped_history", "cursorField": ["updated_at"] },
            { "name": "notes", "namespace": name, "syncMode": "full_refresh_overwrite" },
        ] },
    });
    let (status, connection) = api.post("/connections", body).await;
    assert_eq!(status, 200, "{connection}");
    let connection = text(&connection["connectionId"]);
    api.sync(&connection).await;
    run(
        &url,
        "UPDATE orders SET item = 'mug', updated_at = '2025-01-01' WHERE id = 2; DELETE FROM notes WHERE text = 'a'",
    )
    .await;
    let info = api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 2);

    let mut mysql = MySqlConnection::connect(&url).await.unwrap();
    let expected: Vec<String> = sqlx::query_scalar(CELLS)
        .fetch_all(&mut mysql)
        .await
        .unwrap();
    mysql.close().await.unwrap();
    let warehouse = engine.place.home().join("warehouse.db");
    let options = SqliteConnectOptions::new().filename(warehouse);
    let mut warehouse = SqliteConnection::connect_with(&options).await.unwrap();
    let copied: Vec<String> = sqlx::query_scalar(COPIED)
        .fetch_all(&mut warehouse)
        .await
        .unwrap();
    let notes: Vec<String> = sqlx::query_scalar("SELECT text FROM notes")
        .fetch_all(&mut warehouse)
        .await
        .unwrap();
    warehouse.close().await.unwrap();
    assert_eq!(copied.len(), 25_000);
    assert_eq!(copied, expected);
    assert_eq!(notes, ["b"]);
    engine.stop().await;
    run(&server(), &format!("DROP DATABASE {name}")).await;
}
