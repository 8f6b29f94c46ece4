//! The registry: connections, catalog versions, jobs and operations, on PostgreSQL or SQLite.
//!
//! Reads and writes begin with [`Registry::reader`] and [`Registry::writer`], which know what each
//! database needs: SQLite has one writer connection per process and `BEGIN IMMEDIATE` for every
//! write; behind a transaction-mode pooler every statement, a lone SELECT too, runs inside a
//! transaction.

pub mod actors;
pub mod audit;
pub mod changes;
mod connect;
pub mod connections;
pub mod drift;
pub mod entities;
pub mod events;
mod hand_over;
pub mod idempotency;
pub mod installation;
pub mod jobs;
pub mod keeper;
pub mod keys;
pub mod leases;
mod lost;
pub mod migrate;
pub mod onboarding;
pub mod operations;
pub mod outbox;
mod reach;
mod reader;
mod repair;
pub mod status;
mod steps;
mod take;
pub mod versions;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend,
    DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use crate::settings::Pooler;

use self::lost::Trust;
use self::reader::within;

pub use self::reader::Reader;
pub use sea_orm;

/// Why the registry could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or refused the statement.
    #[error("the registry's database failed")]
    Database(#[source] DbErr),
    /// No connection to the database can be opened.
    #[error("the registry's database at {place} cannot be used; check DATABASE_URL")]
    Unreachable {
        /// Host, port and name of the database.
        place: String,
        /// The server's or the operating system's words.
        source: sqlx::Error,
    },
    /// A guarded write found that somebody else was first.
    #[error("{0}")]
    Conflict(Conflict),
    /// The database file or lock cannot be used.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The URL cannot be used.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
    /// A stored document does not read.
    #[error("a stored document does not read: {0}")]
    Document(String),
}

/// What a guarded write collided with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The connection's name is taken.
    #[error("the connection's name is taken")]
    Name,
    /// Another operation of the connection is under way.
    #[error("another operation of the connection is under way")]
    OperationInProgress,
    /// The connection has moved on to another version.
    #[error("the connection has moved on to another version")]
    Version,
    /// The connection was changed meanwhile.
    #[error("the connection was changed meanwhile")]
    Revision,
    /// A key in force has the name.
    #[error("a key in force has the name")]
    KeyName,
    /// A connection uses the source or destination.
    #[error("a connection uses it")]
    ActorInUse,
    /// The source or destination is being removed.
    #[error("the source or destination is being removed")]
    ActorDeleting,
    /// The operation's lease belongs to another process now.
    #[error("the operation's lease belongs to another process")]
    LeaseLost,
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl Error {
    /// The database did not answer in time.
    pub fn no_answer() -> Self {
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
        Self::Unreachable {
            place: "the configured address".to_owned(),
            source: sqlx::Error::Io(late),
        }
    }

    /// Whether the database could not be reached, so that trying later may help.
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
    target: crate::settings::DatabaseTarget,
    pooler: Pooler,
    lease: chrono::TimeDelta,
    trust: Arc<Trust>,
}

/// The moment, in the precision both databases keep (microseconds).
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

impl Registry {
    /// Which database this is.
    pub fn backend(&self) -> DbBackend {
        self.inner.write.get_database_backend()
    }

    /// Begins a write. Nothing is stored until it is committed.
    ///
    /// # Errors
    /// When the database cannot be reached in time.
    pub async fn writer(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: (self.backend() == DbBackend::Sqlite)
                .then_some(SqliteTransactionMode::Immediate),
        };
        if self.backend() == DbBackend::Sqlite {
            // Whoever writes waits for its turn, for as long as its pool says.
            return Ok(self.inner.write.begin_with_options(options).await?);
        }
        let mut begun = self.begin(options).await;
        if self.inner.trust.again(&begun) {
            begun = self.begin(options).await;
        }
        Ok(begun?)
    }

    /// Begins a transaction on PostgreSQL. Nothing was changed when it fails.
    async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let transaction = within(self.inner.write.begin_with_options(options)).await?;
        self.forget_statements(&transaction).await?;
        Ok(transaction)
    }

    /// Behind a transaction-mode pooler a transaction begins on a server connection that others
    /// prepared statements on. sqlx names its statements by a counter of its own, closes none when
    /// it caches none, and would meet names that are taken.
    async fn forget_statements(&self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        if self.inner.pooler == Pooler::Transaction {
            within(transaction.execute_unprepared("DEALLOCATE ALL")).await?;
        }
        Ok(())
    }

    /// Begins a read.
    ///
    /// # Errors
    /// When the database cannot be reached in time.
    pub async fn reader(&self) -> Result<Reader<'_>, Error> {
        if self.inner.pooler == Pooler::Session {
            let executor = DatabaseExecutor::Connection(&self.inner.read);
            return Ok(Reader::new(executor, &self.inner.trust));
        }
        let mut begun = self.begin_read().await;
        if self.inner.trust.again(&begun) {
            begun = self.begin_read().await;
        }
        let executor = DatabaseExecutor::OwnedTransaction(begun?);
        Ok(Reader::new(executor, &self.inner.trust))
    }

    async fn begin_read(&self) -> Result<DatabaseTransaction, DbErr> {
        let transaction = within(self.inner.read.begin()).await?;
        self.forget_statements(&transaction).await?;
        // Not by the options of `begin`: those would be set by a prepared statement.
        within(transaction.execute_unprepared("SET TRANSACTION READ ONLY")).await?;
        Ok(transaction)
    }

    /// Connections that are open and idle, of each pool.
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
