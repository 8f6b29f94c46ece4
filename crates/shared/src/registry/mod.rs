//! The registry: connections, catalog versions, jobs and operations, on PostgreSQL or SQLite.
//!
//! Reads and writes start with [`Registry::reader`] and [`Registry::writer`], which handle the
//! differences between the databases: SQLite has one writer connection per process and `BEGIN
//! IMMEDIATE` for every write; behind a transaction-mode pooler every statement, even a single
//! SELECT, runs inside a transaction.

pub mod actors;
pub mod audit;
pub mod changes;
mod claim;
mod connect;
pub mod connections;
pub mod drift;
pub mod entities;
pub mod events;
mod hand_over;
pub mod idempotency;
pub mod installation;
pub mod jobs;
pub mod keys;
pub mod lease_renewer;
pub mod leases;
mod lost;
pub mod migrate;
pub mod onboarding;
pub mod operations;
pub mod outbox;
mod ping;
mod reader;
mod repair;
pub mod status;
mod steps;
pub mod versions;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend,
    DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use settings::Pooler;

use self::lost::Trust;
use self::reader::within;

pub use self::reader::Reader;
pub use sea_orm;

/// Why the registry failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is unreachable or rejected the statement.
    #[error("the registry's database failed")]
    Database(#[source] DbErr),
    /// No connection to the database can be opened.
    #[error("the registry's database at {place} cannot be used; check DATABASE_URL")]
    Unreachable {
        /// Host, port and name of the database.
        place: String,
        /// The error of the server or the operating system.
        source: sqlx::Error,
    },
    /// A guarded write lost a race.
    #[error("{0}")]
    Conflict(Conflict),
    /// The database file or lock cannot be used.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The URL cannot be used.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
    /// A stored document is malformed.
    #[error("stored document is malformed: {0}")]
    Document(String),
}

/// The conflict that made a guarded write fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The connection's name is taken.
    #[error("the connection's name is taken")]
    Name,
    /// Another operation of the connection is in progress.
    #[error("another operation of the connection is in progress")]
    OperationInProgress,
    /// The connection has a newer version.
    #[error("the connection has a newer version")]
    Version,
    /// The connection was changed in the meantime.
    #[error("the connection was changed in the meantime")]
    Revision,
    /// An active key already has this name.
    #[error("an active API key already has this name")]
    KeyName,
    /// A connection uses the source or destination.
    #[error("a connection uses it")]
    ActorInUse,
    /// The source or destination is being deleted.
    #[error("the source or destination is being deleted")]
    ActorDeleting,
    /// Another process holds the operation's lease now.
    #[error("another process holds the operation's lease")]
    LeaseLost,
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl Error {
    /// The database did not respond in time.
    pub fn no_answer() -> Self {
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no response in time");
        Self::Unreachable {
            place: "the configured address".to_owned(),
            source: sqlx::Error::Io(late),
        }
    }

    /// Whether the database is unreachable, so that a later retry may help.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Database(error) => lost::is_unavailable(error),
            _ => false,
        }
    }
}

/// The registry; cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    write: DatabaseConnection,
    read: DatabaseConnection,
    target: settings::DatabaseTarget,
    pooler: Pooler,
    lease: chrono::TimeDelta,
    trust: Arc<Trust>,
}

/// The current time, in the precision that both databases store (microseconds).
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

impl Registry {
    /// The kind of database.
    pub fn backend(&self) -> DbBackend {
        self.inner.write.get_database_backend()
    }

    /// Starts a write. Nothing is stored until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached in time.
    pub async fn writer(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: (self.backend() == DbBackend::Sqlite)
                .then_some(SqliteTransactionMode::Immediate),
        };
        if self.backend() == DbBackend::Sqlite {
            // Writers wait for their turn, for as long as their pool allows.
            return Ok(self.inner.write.begin_with_options(options).await?);
        }
        let mut started = self.begin(options).await;
        if self.inner.trust.should_retry(&started) {
            started = self.begin(options).await;
        }
        Ok(started?)
    }

    /// Starts a transaction on PostgreSQL. If this fails, nothing was changed.
    async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let transaction = within(self.inner.write.begin_with_options(options)).await?;
        self.forget_statements(&transaction).await?;
        Ok(transaction)
    }

    /// Behind a transaction-mode pooler a transaction may start on a server connection on which
    /// others prepared statements. sqlx names its statements by its own counter, closes none if it
    /// caches none, and would use names that are taken.
    async fn forget_statements(&self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        if self.inner.pooler == Pooler::Transaction {
            within(transaction.execute_unprepared("DEALLOCATE ALL")).await?;
        }
        Ok(())
    }

    /// Starts a read.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached in time.
    pub async fn reader(&self) -> Result<Reader<'_>, Error> {
        if self.inner.pooler == Pooler::Session {
            let executor = DatabaseExecutor::Connection(&self.inner.read);
            return Ok(Reader::new(executor, &self.inner.trust));
        }
        let mut started = self.begin_read().await;
        if self.inner.trust.should_retry(&started) {
            started = self.begin_read().await;
        }
        let executor = DatabaseExecutor::OwnedTransaction(started?);
        Ok(Reader::new(executor, &self.inner.trust))
    }

    async fn begin_read(&self) -> Result<DatabaseTransaction, DbErr> {
        let transaction = within(self.inner.read.begin()).await?;
        self.forget_statements(&transaction).await?;
        // Not with the options of `begin`, which would use a prepared statement.
        within(transaction.execute_unprepared("SET TRANSACTION READ ONLY")).await?;
        Ok(transaction)
    }

    /// The number of open and idle connections of each pool.
    pub fn pools(&self) -> Vec<(&'static str, u32, usize)> {
        let inner = &self.inner;
        match self.backend() {
            DbBackend::Sqlite => {
                let writer = inner.write.get_sqlite_connection_pool();
                let readers = inner.read.get_sqlite_connection_pool();
                vec![
                    ("writer", writer.size(), writer.num_idle()),
                    ("readers", readers.size(), readers.num_idle()),
                ]
            }
            _ => {
                let pool = inner.write.get_postgres_connection_pool();
                vec![("registry", pool.size(), pool.num_idle())]
            }
        }
    }

    /// Closes every connection to the database.
    pub async fn close(&self) {
        let _ = self.inner.read.close_by_ref().await;
        let _ = self.inner.write.close_by_ref().await;
    }
}

#[cfg(test)]
mod tests;
