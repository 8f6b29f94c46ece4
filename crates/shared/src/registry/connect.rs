//! Opening the registry's database.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use url::Url;

use super::lost::Trust;
use super::{Error, Inner, Registry};
use settings::{DatabaseTarget, Pooler};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for testing a connection.
const TEST_PATIENCE: Duration = Duration::from_secs(2);
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// PostgreSQL's default port.
const PORT: u16 = 5432;
const POSTGRES_CONNECTIONS: u32 = 16;
/// Duration of a lease without renewal.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
const SQLITE_READERS: u32 = 4;

impl Registry {
    /// Creates the pools. Opens no connection yet, so an unreachable database is detected on first
    /// use.
    ///
    /// # Errors
    /// Returns an error if the URL or the file cannot be used.
    pub fn connect(target: &DatabaseTarget, pooler: Pooler) -> Result<Self, Error> {
        let trust = Arc::new(Trust::default());
        let (write, read) = match target {
            DatabaseTarget::Postgres { url } => {
                let pool = postgres(url.expose_secret(), pooler, &trust)?;
                (pool.clone().into(), pool.into())
            }
            DatabaseTarget::Sqlite { path } => {
                if let Some(directory) = path.parent() {
                    std::fs::create_dir_all(directory).map_err(|source| Error::File {
                        path: directory.to_owned(),
                        source,
                    })?;
                }
                let readers = local::sqlite::readers(path, SQLITE_READERS);
                (local::sqlite::writer(path).into(), readers.into())
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
                trust,
            }),
        })
    }

    /// Sets how long leases last without renewal, instead of 30 s. All processes on a database
    /// should use the same duration.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        let Inner {
            write,
            read,
            target,
            pooler,
            trust,
            ..
        } = self.inner.as_ref();
        Self {
            inner: Arc::new(Inner {
                write: write.clone(),
                read: read.clone(),
                target: target.clone(),
                pooler: *pooler,
                lease: chrono::TimeDelta::from_std(lease).unwrap_or(LEASE),
                trust: Arc::clone(trust),
            }),
        }
    }
}

/// Connection options for PostgreSQL.
pub(super) fn postgres_options(url: &str, pooler: Pooler) -> Result<PgConnectOptions, Error> {
    let mut options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Url(error.to_string()))?
        .application_name("aam");
    // sqlx would take missing parts from PGHOST, PGPORT and PGSSLMODE, which may be set for another
    // program; the password must only go where the URL points.
    let parsed = Url::parse(url).map_err(|error| Error::Url(error.to_string()))?;
    let sets = |names: &[&str]| {
        let mut pairs = parsed.query_pairs();
        pairs.any(|(name, _)| names.contains(&name.as_ref()))
    };
    if parsed.host_str().is_none_or(str::is_empty) && !sets(&["host", "hostaddr"]) {
        let sockets = ["/run/postgresql", "/var/run/postgresql", "/tmp"];
        let file = format!(".s.PGSQL.{}", parsed.port().unwrap_or(PORT));
        options = match sockets.iter().find(|at| Path::new(at).join(&file).exists()) {
            Some(socket) => options.socket(socket),
            None => options.host("localhost"),
        };
    }
    if parsed.port().is_none() && !sets(&["port"]) {
        options = options.port(PORT);
    }
    if !sets(&["sslmode", "ssl-mode"]) {
        options = options.ssl_mode(PgSslMode::Prefer);
    }
    if pooler == Pooler::Transaction {
        // Poolers reject startup parameters that they do not track.
        options = options.statement_cache_capacity(0).extra_float_digits(None);
    }
    Ok(options)
}

fn postgres(url: &str, pooler: Pooler, trust: &Arc<Trust>) -> Result<sqlx::PgPool, Error> {
    let options = postgres_options(url, pooler)?;
    let trust = Arc::clone(trust);
    Ok(PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(move |connection, idle| {
            let trust = Arc::clone(&trust);
            Box::pin(async move {
                use sqlx::Connection as _;
                if trust.covers(idle.idle_for) {
                    return Ok(true);
                }
                let ping = tokio::time::timeout(TEST_PATIENCE, connection.ping()).await;
                let is_alive = matches!(ping, Ok(Ok(())));
                if !is_alive {
                    trust.lose();
                }
                Ok(is_alive)
            })
        })
        .connect_lazy_with(options))
}
