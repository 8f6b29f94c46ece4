//! The tables that people query: names, columns, meaning.

use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use test_support::{Database, Stack};

const COLUMNS: &[(&str, &str)] = &[
    (
        "connections",
        "id, name, source_type, airbyte_source_id, airbyte_connection_id, status, created_at, updated_at",
    ),
    (
        "sync_catalog_versions",
        "id, connection_id, sync_catalog, version_number, created_at",
    ),
    (
        "job_history",
        "id, connection_id, airbyte_job_id, status, started_at, completed_at, error_message",
    ),
];

pub(crate) async fn are_as_they_were(stack: &Stack, id: &str) {
    match &stack.database {
        Database::Sqlite => sqlite(stack).await,
        Database::Postgres { url, .. } => postgres(url, id).await,
    }
}

async fn sqlite(stack: &Stack) {
    let path = stack.home().join("registry.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .read_only(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    for (table, columns) in COLUMNS {
        let query = format!("SELECT {columns} FROM {table}");
        let rows = sqlx::query(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table} is empty");
    }
    let catalog: String = sqlx::query_scalar(
        "SELECT json_extract(sync_catalog, '$.streams[0].stream.name') FROM sync_catalog_versions",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(catalog, "Account");
}

async fn postgres(url: &str, id: &str) {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut connection = sqlx::PgConnection::connect_with(
        &options.statement_cache_capacity(0).extra_float_digits(None),
    )
    .await
    .unwrap();
    let mut transaction = connection.begin().await.unwrap();
    // A pooler gives us a server connection that others prepared statements on.
    sqlx::raw_sql("DEALLOCATE ALL")
        .execute(&mut *transaction)
        .await
        .unwrap();
    for (table, columns) in COLUMNS {
        let query = format!("SELECT {columns} FROM {table}");
        let rows = sqlx::query(AssertSqlSafe(query))
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table} is empty");
    }
    let types: Vec<(String, String, String)> = sqlx::query(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = 'public'",
    )
    .fetch_all(&mut *transaction)
    .await
    .unwrap()
    .iter()
    .map(|row| (row.get(0), row.get(1), row.get(2)))
    .collect();
    for (table, column, expected) in [
        ("connections", "id", "uuid"),
        ("connections", "airbyte_source_id", "uuid"),
        ("connections", "airbyte_connection_id", "uuid"),
        ("connections", "created_at", "timestamp with time zone"),
        ("sync_catalog_versions", "id", "uuid"),
        ("sync_catalog_versions", "connection_id", "uuid"),
        ("sync_catalog_versions", "sync_catalog", "jsonb"),
        ("sync_catalog_versions", "version_number", "integer"),
        ("job_history", "airbyte_job_id", "character varying"),
        ("job_history", "started_at", "timestamp with time zone"),
    ] {
        let found = types.iter().find(|(t, c, _)| t == table && c == column);
        assert_eq!(
            found.map(|(_, _, kind)| kind.as_str()),
            Some(expected),
            "{table}.{column}"
        );
    }
    let row = sqlx::query(
        "SELECT c.status, v.version_number, v.sync_catalog->'streams'->0->'stream'->>'name', j.status \
         FROM connections c JOIN sync_catalog_versions v ON v.connection_id = c.id \
         JOIN job_history j ON j.connection_id = c.id WHERE c.id = $1::uuid ORDER BY v.version_number DESC",
    )
    .bind(id)
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    let found: (String, i32, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(
        found,
        ("ACTIVE".into(), 2, "Account".into(), "succeeded".into())
    );
    // What belongs to a connection goes with it.
    sqlx::query("DELETE FROM connections WHERE id = $1::uuid")
        .bind(id)
        .execute(&mut *transaction)
        .await
        .unwrap();
    for table in ["sync_catalog_versions", "job_history"] {
        let query = format!("SELECT count(*) FROM {table}");
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    transaction.rollback().await.unwrap();
}
