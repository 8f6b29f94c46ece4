//! Opening the registry's database.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{Error, Inner, Registry};
use crate::settings::{DatabaseTarget, Pooler};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection idle for longer is pinged before use; younger ones are trusted, which saves a
/// round trip per query.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a lease lasts without being renewed.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
const SQLITE_READERS: u32 = 4;

impl Registry {
    /// Prepares the pools. No connection is opened yet, so a database that is down is found by
    /// the first use.
    ///
    /// # Errors
    /// When the URL or the file cannot be used.
    pub fn connect(target: &DatabaseTarget, pooler: Pooler) -> Result<Self, Error> {
        let (write, read) = match target {
            DatabaseTarget::Postgres { url } => {
                let pool = postgres(url.expose_secret(), pooler)?;
                (pool.clone().into(), pool.into())
            }
            DatabaseTarget::Sqlite { path } => {
                if let Some(directory) = path.parent() {
                    std::fs::create_dir_all(directory).map_err(|source| Error::File {
                        path: directory.to_owned(),
                        source,
                    })?;
                }
                let readers = crate::sqlite::readers(path, SQLITE_READERS);
                (crate::sqlite::writer(path).into(), readers.into())
            }
        };
        let pooler = if matches!(target, DatabaseTarget::Sqlite { .. }) {
            Pooler::Session
        } else {
            pooler
        };
        Ok(Self {
            inner: Arc::new(Inner {
                write,
                read,
                target: target.clone(),
                pooler,
                lease: LEASE,
            }),
        })
    }

    /// The same with leases that last `lease` without being renewed, instead of 30 s. Every process
    /// on one database should use the same.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        let Inner {
            write,
            read,
            target,
            pooler,
            ..
        } = self.inner.as_ref();
        Self {
            inner: Arc::new(Inner {
                write: write.clone(),
                read: read.clone(),
                target: target.clone(),
                pooler: *pooler,
                lease: chrono::TimeDelta::from_std(lease).unwrap_or(LEASE),
            }),
        }
    }
}

/// How a connection to PostgreSQL is opened.
pub(super) fn postgres_options(url: &str, pooler: Pooler) -> Result<PgConnectOptions, Error> {
    let mut options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Url(error.to_string()))?
        .application_name("aam");
    if pooler == Pooler::Transaction {
        // Poolers refuse start-up parameters they do not track.
        options = options.statement_cache_capacity(0).extra_float_digits(None);
    }
    Ok(options)
}

fn postgres(url: &str, pooler: Pooler) -> Result<sqlx::PgPool, Error> {
    let options = postgres_options(url, pooler)?;
    Ok(PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT * 10)
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                use sqlx::Connection as _;
                if idle.idle_for < IDLE_TIMEOUT {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
        .connect_lazy_with(options))
}
