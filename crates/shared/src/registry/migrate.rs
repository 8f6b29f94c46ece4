//! Bringing the database up to date, safe for several processes at once.
//!
//! PostgreSQL: everything in one transaction that holds an advisory lock, which a transaction-mode
//! pooler keeps on one connection. SQLite: a lock file beside the database.

use std::fs::OpenOptions;

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DbErr};

use super::{Error, Registry};
use crate::settings::DatabaseTarget;

/// Any number that no other program on the database uses for its own advisory locks.
const ADVISORY_LOCK: i64 = 0x0041_414D_0001;

/// A migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

impl Registry {
    /// Applies what is missing; returns how many migrations that were.
    ///
    /// # Errors
    /// When the database cannot be reached or a migration fails; nothing is left half done on
    /// PostgreSQL.
    pub async fn migrate(&self) -> Result<usize, Error> {
        self.reach().await?;
        match &self.inner.target {
            DatabaseTarget::Postgres { .. } => {
                let transaction = self.writer().await?;
                transaction
                    .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
                    .await?;
                let missing = Migrator::get_pending_migrations(&transaction).await?.len();
                if missing > 0 {
                    Migrator::up(&transaction, None).await?;
                }
                transaction.commit().await?;
                Ok(missing)
            }
            DatabaseTarget::Sqlite { path } => {
                let lock_path = path.with_extension("db.migrate.lock");
                let file_error = |source| Error::File {
                    path: lock_path.clone(),
                    source,
                };
                let lock = OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&lock_path)
                    .map_err(file_error)?;
                let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
                    .await
                    .map_err(|error| Error::Database(DbErr::Custom(error.to_string())))?
                    .map_err(file_error)?;
                let missing = Migrator::get_pending_migrations(&self.inner.write)
                    .await?
                    .len();
                if missing > 0 {
                    Migrator::up(&self.inner.write, None).await?;
                }
                drop(lock);
                Ok(missing)
            }
        }
    }

    /// Every migration and whether the database has it, oldest first.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn migration_states(&self) -> Result<Vec<MigrationState>, Error> {
        self.reach().await?;
        let transaction = self.writer().await?;
        let states = Migrator::get_migration_with_status(&transaction).await?;
        transaction.commit().await?;
        Ok(states
            .into_iter()
            .map(|migration| MigrationState {
                name: migration.name().to_owned(),
                applied: migration.status() == sea_orm_migration::MigrationStatus::Applied,
            })
            .collect())
    }
}
