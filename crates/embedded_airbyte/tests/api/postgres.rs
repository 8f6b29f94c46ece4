//! The native PostgreSQL pair under the engine: what is in one schema is what is in another.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::harness::{Api, Engine, text};

/// A database of the test's own.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(crate) async fn new(statements: &str) -> Self {
        let server = std::env::var("AAM_TEST_POSTGRES_URL").unwrap_or_else(|_| {
            panic!("AAM_TEST_POSTGRES_URL is not set; scripts/test.sh starts a server and sets it")
        });
        let name = format!("aam_{}", uuid::Uuid::new_v4().simple());
        run(&server, &format!("CREATE DATABASE {name}")).await;
        let database = Self { server, name };
        database.sql(statements).await;
        database
    }

    fn url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    pub(crate) async fn sql(&self, statements: &str) {
        run(&self.url(), statements).await;
    }

    pub(crate) async fn rows(&self, query: &str) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        let rows = sqlx::query_scalar(AssertSqlSafe(format!("SELECT q::text FROM ({query}) AS q")))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows
    }

    pub(crate) async fn drop(self) {
        self.sql(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
             WHERE database = current_database()",
        )
        .await;
        run(
            &self.server,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        )
        .await;
    }

    pub(crate) fn configuration(&self) -> Value {
        let (credentials, address) = self
            .server
            .split_once("://")
            .unwrap()
            .1
            .rsplit_once('@')
            .unwrap();
        let (username, password) = credentials.split_once(':').unwrap();
        let (host, port) = address.split('/').next().unwrap().rsplit_once(':').unwrap();
        json!({
            "host": host, "port": port.parse::<u16>().unwrap(), "database": self.name,
            "username": username, "password": password,
        })
    }

    /// A connection from the schema `public` to the schema `copy`.
    async fn onboard(&self, api: &Api, replication: Value, streams: Value) -> String {
        let workspace = api.workspace().await;
        let mut source = self.configuration();
        source["sourceType"] = json!("postgres");
        source["schemas"] = json!(["public"]);
        source["replication_method"] = replication;
        let body = json!({ "name": "shop", "workspaceId": workspace, "configuration": source });
        let (status, source) = api.post("/sources", body).await;
        assert_eq!(status, 200, "{source}");
        let mut destination = self.configuration();
        destination["destinationType"] = json!("postgres");
        let body =
            json!({ "name": "copy", "workspaceId": workspace, "configuration": destination });
        let (status, destination) = api.post("/destinations", body).await;
        assert_eq!(status, 200, "{destination}");
        let check = json!({ "sourceId": source["sourceId"] });
        let check = api.config_ok("/sources/check_connection", check).await;
        assert_eq!(check["status"], "succeeded", "{check}");
        let check = json!({ "destinationId": destination["destinationId"] });
        let check = api.config_ok("/destinations/check_connection", check).await;
        assert_eq!(check["status"], "succeeded", "{check}");
        let body = json!({
            "sourceId": source["sourceId"], "destinationId": destination["destinationId"],
            "namespaceDefinition": "custom_format", "namespaceFormat": "copy",
            "configurations": { "streams": streams },
        });
        let (status, connection) = api.post("/connections", body).await;
        assert_eq!(status, 200, "{connection}");
        text(&connection["connectionId"])
    }

    async fn difference(&self, columns: &str) -> Vec<String> {
        self.rows(&format!(
            "(SELECT {columns} FROM t EXCEPT ALL SELECT {columns} FROM copy.t) UNION ALL \
             (SELECT {columns} FROM copy.t EXCEPT ALL SELECT {columns} FROM t)"
        ))
        .await
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
    connection.execute(statements).await.unwrap();
    connection.close().await.unwrap();
}

const ORDERS: &str = "CREATE TABLE t (id int PRIMARY KEY, item text, price numeric(20,5), updated_at timestamptz); \
    INSERT INTO t SELECT n, 'item ' || n, n / 7.0, '2024-01-01'::timestamptz + n * interval '1 s' \
    FROM generate_series(1, 25000) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn tables_arrive_by_cursor_and_are_replaced_by_a_refresh() {
    let database = Database::new(ORDERS).await;
    let engine = Engine::start().await;
    let api = &engine.api;
    let streams = json!([{ "name": "t", "namespace": "public",
        "syncMode": "incremental_deduped_history", "cursorField": ["updated_at"] }]);
    let connection = database
        .onboard(api, json!({ "method": "Standard" }), streams)
        .await;
    api.sync(&connection).await;
    let columns = "id, item, price, updated_at";
    assert_eq!(database.difference(columns).await, [""; 0]);
    database
        .sql("UPDATE t SET item = 'mug', updated_at = now() WHERE id = 2; DELETE FROM t WHERE id = 1")
        .await;
    let info = api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 1);
    assert_eq!(
        database.difference(columns).await.len(),
        1,
        "a cursor does not see deletions"
    );
    let refresh = json!({ "connectionId": connection, "refreshMode": "Truncate" });
    let started = api.config_ok("/connections/refresh", refresh).await;
    let ended = api.ended(started["job"]["id"].as_i64().unwrap()).await;
    assert_eq!(ended["job"]["status"], "succeeded", "{ended:#}");
    assert_eq!(database.difference(columns).await, [""; 0]);
    engine.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_by_logical_replication_with_deletions() {
    let database = Database::new(ORDERS).await;
    database.sql("CREATE PUBLICATION changes FOR TABLE t").await;
    let slot = &database.name;
    let create = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
    database.sql(&create).await;
    let engine = Engine::start().await;
    let api = &engine.api;
    let replication =
        json!({ "method": "CDC", "replication_slot": slot, "publication": "changes" });
    let streams =
        json!([{ "name": "t", "namespace": "public", "syncMode": "incremental_deduped_history" }]);
    let connection = database.onboard(api, replication, streams).await;
    api.sync(&connection).await;
    let columns = "id, item, price, updated_at";
    assert_eq!(database.difference(columns).await, [""; 0]);
    database
        .sql(
            "UPDATE t SET item = 'mug' WHERE id % 100 = 0; DELETE FROM t WHERE id % 100 = 1; \
             UPDATE t SET id = id + 1000000 WHERE id % 100 = 2; INSERT INTO t VALUES (0, 'new', 1)",
        )
        .await;
    let info = api.sync(&connection).await;
    // 250 updates, 250 deletions, 250 changes of the key that are two records each, one insert.
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 1001);
    assert_eq!(database.difference(columns).await, [""; 0]);
    let info = api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 0);
    engine.stop().await;
    database.drop().await;
}
