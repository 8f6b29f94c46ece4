//! PostgreSQL to PostgreSQL, beside `COPY` out of one table into another that has a key.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolCopyExt as _};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::engine::Engine;
use crate::table::Table;

const SCHEMA: &str = "aam_bench";

pub(crate) fn measure(
    table: &mut Table,
    engine: &Engine,
    url: &str,
    count: u64,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let options: PgConnectOptions = url.parse()?;
    let copied = runtime.block_on(async {
        let mut connection = options.connect().await?;
        make(&mut connection, count).await?;
        copy(url).await
    })?;
    let copied = count as f64 / copied.as_secs_f64();
    let address = url::Url::parse(url)?;
    let database = address.path().trim_start_matches('/');
    let mut end = json!({"host": address.host_str().context("no host")?,
        "port": address.port().unwrap_or(5432), "database": database,
        "username": address.username(), "password": address.password().unwrap_or_default(),
        "ssl_mode": {"mode": "disable"}});
    end["schemas"] = json!([SCHEMA]);
    end["sourceType"] = json!("postgres");
    let source = engine.actor("source", end.clone())?;
    let members = end.as_object_mut().context("an object")?;
    members.remove("schemas");
    members.remove("sourceType");
    end["destinationType"] = json!("postgres");
    end["schema"] = json!(SCHEMA);
    let destination = engine.actor("destination", end)?;
    for (mode, what, prefix) in [
        ("full_refresh_append", "append", "append_"),
        (
            "incremental_deduped_history",
            "first append + dedup",
            "dedup_",
        ),
    ] {
        let mut stream = json!({"name": "events", "namespace": SCHEMA, "syncMode": mode});
        if mode.starts_with("incremental") {
            stream["cursorField"] = json!(["updated_at"]);
        }
        let synced = engine.sync(&source, &destination, &stream, prefix)?;
        let rate = count as f64 / synced.took.as_secs_f64();
        table.ratio(
            format!("{count} rows PostgreSQL to PostgreSQL, {what}"),
            format!("{rate:.0} rows/s"),
            format!("COPY | COPY with a key: {copied:.0} rows/s"),
            rate / copied,
        );
    }
    runtime.block_on(async {
        let mut connection = options.connect().await?;
        let drop = format!("DROP SCHEMA {SCHEMA} CASCADE");
        sqlx::raw_sql(AssertSqlSafe(drop))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    })
}

async fn make(connection: &mut PgConnection, count: u64) -> anyhow::Result<()> {
    let statements = format!(
        "DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};
         CREATE TABLE {SCHEMA}.events (id bigint PRIMARY KEY, name text, email text, age int,
         score double precision, active boolean, country text, created_at timestamptz,
         updated_at timestamptz, note text);
         INSERT INTO {SCHEMA}.events SELECT i, 'User ' || i, 'user' || i || '@example.com',
         18 + i % 72, (i * 7919 % 10000000) / 10000.0, i % 2 = 0, 'DE',
         to_timestamp(1704067200 + i * 7919 % 31536000), to_timestamp(1717200000 + i), md5(i::text)
         FROM generate_series(1::bigint, {count}) AS i;
         CREATE TABLE {SCHEMA}.bare (LIKE {SCHEMA}.events INCLUDING ALL); ANALYZE {SCHEMA}.events"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await?;
    Ok(())
}

async fn copy(url: &str) -> anyhow::Result<Duration> {
    let pool = sqlx::PgPool::connect(url).await?;
    let begun = Instant::now();
    let out = format!("COPY {SCHEMA}.events TO STDOUT");
    let mut rows = pool.copy_out_raw(&out).await?;
    let into = format!("COPY {SCHEMA}.bare FROM STDIN");
    let mut sink = pool.copy_in_raw(&into).await?;
    while let Some(chunk) = rows.next().await {
        sink.send(chunk?).await?;
    }
    sink.finish().await?;
    Ok(begun.elapsed())
}
