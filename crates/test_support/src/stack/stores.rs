//! What is in a stack's databases and in its Airbyte, past the services.

use super::Stack;
use crate::api::Api;
use crate::database::Database;

impl Stack {
    /// Runs statements on a SQLite file of the data folder, which is made when it is not there.
    pub async fn sqlite(&self, file: &str, statements: &str) {
        use sqlx::{ConnectOptions as _, Connection as _};
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.data().join(file))
            .create_if_missing(true)
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// Runs statements on the registry behind the services' backs.
    pub async fn registry_execute(&self, statements: &str) {
        use sqlx::{ConnectOptions as _, Connection as _};
        if !matches!(self.database, Database::Sqlite) {
            return self.database.execute(statements).await;
        }
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.home().join("registry.db"))
            .busy_timeout(std::time::Duration::from_secs(10))
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// One value of the warehouse, as text.
    pub async fn warehouse_value(&self, query: &str) -> Option<String> {
        self.query_warehouse(query).await.unwrap()
    }

    /// The same where the table may not be there yet.
    pub async fn try_warehouse_value(&self, query: &str) -> Option<String> {
        self.query_warehouse(query).await.ok().flatten()
    }

    async fn query_warehouse(&self, query: &str) -> Result<Option<String>, sqlx::Error> {
        use sqlx::ConnectOptions as _;
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.warehouse())
            .read_only(true)
            .connect()
            .await?;
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT CAST(({query}) AS TEXT)"
        )))
        .fetch_one(&mut connection)
        .await
    }

    pub(super) fn airbyte_client(&self) -> (String, String) {
        let text = std::fs::read_to_string(self.home().join("keys/airbyte_client")).unwrap();
        let mut lines = text.lines().map(str::to_owned);
        (lines.next().unwrap(), lines.next().unwrap())
    }

    /// How many sources and connections Airbyte has.
    pub async fn airbyte_objects(&self) -> (usize, usize) {
        let airbyte = self.airbyte_api().await;
        let count = async |path: &str| {
            airbyte.get(path).await.expect(200)["data"]
                .as_array()
                .unwrap()
                .len()
        };
        (
            count("/api/public/v1/sources?limit=100").await,
            count("/api/public/v1/connections?limit=100").await,
        )
    }

    /// A client for the embedded Airbyte's own APIs, with a token.
    pub async fn airbyte_api(&self) -> Api {
        let (id, secret) = self.airbyte_client();
        let open = Api::new(&self.airbyte_root, None);
        let body = serde_json::json!({"client_id": id, "client_secret": secret});
        let token = open
            .post("/api/public/v1/applications/token", &body)
            .await
            .expect(200);
        Api::new(&self.airbyte_root, token["access_token"].as_str())
    }
}
