//! Callers, and a registry with many connections.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use uuid::Uuid;

/// How many calls are under way at once.
const CALLERS: usize = 16;

/// A client that waits for its answers.
pub(super) struct Client {
    base: String,
    key: Option<&'static str>,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    pub(super) fn new(base: String, key: Option<&'static str>) -> anyhow::Result<Self> {
        local::install_tls_provider();
        Ok(Self {
            base,
            key,
            // The services close what is idle for five seconds: a call must not meet that.
            http: http_client::builder()
                .timeout(Duration::from_secs(3600))
                .pool_idle_timeout(Duration::from_secs(2))
                .build()?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The bytes of an answer.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let request = self.request(reqwest::Method::GET, path);
        self.runtime.block_on(answer(request))
    }

    /// The answer to a POST.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.request(reqwest::Method::POST, path).json(body);
        let bytes = self.runtime.block_on(answer(request))?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// The same GET so many times, several at once.
    pub(super) fn many(&self, path: &str, times: usize) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            let callers = (0..CALLERS).map(|caller| async move {
                for _ in (caller..times).step_by(CALLERS) {
                    answer(self.request(reqwest::Method::GET, path)).await?;
                }
                Ok::<_, anyhow::Error>(())
            });
            futures::future::try_join_all(callers).await?;
            Ok(())
        })
    }
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Vec<u8>> {
    let answer = request.send().await?;
    let status = answer.status();
    let bytes = answer.bytes().await?;
    anyhow::ensure!(
        status.is_success(),
        "{status}: {}",
        String::from_utf8_lossy(&bytes[..bytes.len().min(500)])
    );
    Ok(bytes.to_vec())
}

/// Fills the registry up to `count` connections; the id of one.
pub(super) fn seed(database: &Path, count: u32) -> anyhow::Result<Uuid> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
        let copy = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
            INSERT INTO connections (id, name, source_type, airbyte_source_id, airbyte_connection_id, status,
                airbyte_instance, workspace_id, destination_id, drift_policy, schedule, request_hash,
                current_version, created_at, updated_at)
            SELECT randomblob(16), 'seeded ' || i, c.source_type, c.airbyte_source_id, c.airbyte_connection_id,
                c.status, c.airbyte_instance, c.workspace_id, c.destination_id, c.drift_policy, c.schedule, 'h',
                c.current_version, c.created_at, c.updated_at
            FROM n, (SELECT * FROM connections LIMIT 1) c";
        sqlx::query(copy).bind(count).execute(&mut connection).await?;
        let id = sqlx::query_scalar("SELECT id FROM connections LIMIT 1 OFFSET 500")
            .fetch_one(&mut connection)
            .await
            .context("no connection was seeded")?;
        connection.close().await?;
        Ok(id)
    })
}
