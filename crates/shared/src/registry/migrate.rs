//! Migrates the database, safely for several concurrent processes.
//!
//! PostgreSQL: everything in one transaction that holds an advisory lock, which a transaction-mode
//! pooler keeps on one connection. SQLite: a lock file next to the database.

use std::fs::OpenOptions;

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DbErr};

use super::{Error, Registry};
use settings::DatabaseTarget;

/// A number that no other program on the database uses for its advisory locks.
const ADVISORY_LOCK: i64 = 0x0041_414D_0001;

/// A migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

impl Registry {
    /// Applies missing migrations; returns how many.
    ///
    /// # Errors
    /// Returns an error if the database is unreachable or a migration fails; on PostgreSQL the
    /// migrations are atomic.
    pub async fn migrate(&self) -> Result<usize, Error> {
        self.try_connect().await?;
        match &self.inner.target {
            DatabaseTarget::Postgres { .. } => {
                let transaction = self.writer().await?;
                transaction
                    .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
                    .await?;
                let missing = missing(&transaction).await?;
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
                let missing = missing(&self.inner.write).await?;
                if missing > 0 {
                    Migrator::up(&self.inner.write, None).await?;
                }
                drop(lock);
                Ok(missing)
            }
        }
    }

    /// Lists all migrations and whether they are applied, oldest first.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached.
    pub async fn migration_states(&self) -> Result<Vec<MigrationState>, Error> {
        self.try_connect().await?;
        let transaction = self.writer().await?;
        let applied = applied(&transaction).await?;
        transaction.commit().await?;
        let ours = Migrator::migrations().into_iter().map(|migration| {
            let name = migration.name().to_owned();
            MigrationState {
                applied: applied.contains(&name),
                name,
            }
        });
        let mut states: Vec<_> = ours.collect();
        let newer = applied.into_iter().filter_map(|name| {
            let known = states.iter().any(|state| state.name == name);
            (!known).then_some(MigrationState {
                name,
                applied: true,
            })
        });
        let newer: Vec<_> = newer.collect();
        states.extend(newer);
        Ok(states)
    }
}

/// The names of the applied migrations, oldest first.
async fn applied(database: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let models = Migrator::get_migration_models(database).await?;
    Ok(models.into_iter().map(|model| model.version).collect())
}

/// The number of missing migrations. A database with migrations unknown to this program was
/// migrated by a newer version; newer migrations only add, so this program continues to work.
async fn missing(database: &impl ConnectionTrait) -> Result<usize, DbErr> {
    let applied = applied(database).await?;
    let ours: Vec<_> = Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    if let Some(newer) = applied.iter().find(|name| !ours.contains(name)) {
        tracing::warn!(
            migration = newer,
            "the registry was migrated by a newer version; this program continues to work but \
             should be upgraded"
        );
        return Ok(0);
    }
    Ok(ours.iter().filter(|name| !applied.contains(name)).count())
}
