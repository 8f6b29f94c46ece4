//! Connection pools for SQLite files, configured for a control plane: a write-ahead log, one
//! writer, and no reuse of a connection whose transaction state is inconsistent.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a writer waits for its turn in this process.
const WRITER_TIMEOUT: Duration = Duration::from_secs(30);
const READER_TIMEOUT: Duration = Duration::from_secs(5);

/// The pool with one connection for writing. Nothing is opened yet.
pub fn writer(path: &Path) -> sqlx::SqlitePool {
    pool(1, WRITER_TIMEOUT).connect_lazy_with(options(path))
}

/// A pool of connections for reading. Nothing is opened yet.
pub fn readers(path: &Path, connections: u32) -> sqlx::SqlitePool {
    pool(connections, READER_TIMEOUT).connect_lazy_with(options(path))
}

fn pool(connections: u32, patience: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async { usable(connection).await }))
}

/// Whether a connection is outside a transaction. If a commit fails, for example on a full disk,
/// SQLite may have rolled back already; the driver's rollback then fails, and every later "commit"
/// of this connection only ends a savepoint of a transaction that never commits.
async fn usable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A rollback may still be pending.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_commit_after_a_failed_one_succeeds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("small.db");
        let (writer, reader) = (writer(&path), readers(&path, 1));
        let made = "PRAGMA max_page_count = 20; CREATE TABLE t (n, text)";
        sqlx::raw_sql(made).execute(&writer).await.unwrap();
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let large = sqlx::query("INSERT INTO t VALUES (1, hex(randomblob(100000)))");
        let refused = large.execute(&mut *transaction).await;
        assert!(refused.unwrap_err().to_string().contains("full"));
        drop(transaction);
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let small = sqlx::query("INSERT INTO t VALUES (7, '')");
        small.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let seen: Vec<i64> = sqlx::query_scalar("SELECT n FROM t")
            .fetch_all(&reader)
            .await
            .unwrap();
        assert_eq!(seen, [7]);
    }
}
