//! The engine's database, `airbyte.db`: one writer connection, a few readers, and a lock that
//! keeps a second engine out.

pub(crate) mod entities;
mod migrations;

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::Error;

/// Connections that read at the same time.
const READERS_MAX: u32 = 4;

/// The open database.
pub(crate) struct Store {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    // The system releases it when the process dies.
    lock: File,
}

impl Store {
    /// Opens `airbyte.db` in `home`, making and migrating it as needed.
    pub(crate) async fn open(home: &Path) -> Result<Self, Error> {
        let path = home.join("airbyte.db");
        let lock = lock(&path)?;
        private_file(&path).map_err(|source| Error::Home {
            path: path.clone(),
            source,
        })?;
        let writer = DatabaseConnection::from(local::sqlite::writer(&path));
        migrations::Migrator::up(&writer, None).await?;
        let reader = local::sqlite::readers(&path, READERS_MAX).into();
        Ok(Self {
            reader,
            writer,
            lock,
        })
    }

    /// For statements that only read.
    pub(crate) fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// A transaction that holds the write lock from its first statement. Dropping it rolls it back.
    pub(crate) async fn write(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
    }

    /// Closes every connection, so that the write-ahead log is folded in, and lets the next
    /// engine in: HTTP workers may hold on to this one for a moment after they have stopped.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.reader.close_by_ref().await?;
        self.writer.close_by_ref().await?;
        self.lock.unlock().map_err(|source| Error::Home {
            path: "airbyte.db.lock".into(),
            source,
        })
    }
}

/// A separate file, because opening and closing the database itself would drop SQLite's locks on
/// it.
fn lock(database: &Path) -> Result<File, Error> {
    let path = database.with_extension("db.lock");
    let failed = |source| Error::Home {
        path: path.clone(),
        source,
    };
    let file = private_file(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            path: database.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens a file that only its owner may read, making it if missing.
fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}
