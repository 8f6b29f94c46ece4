//! Checks whether the database responds, and why not.
//!
//! A pool that cannot open a connection keeps trying and only reports a timeout; a separate
//! connection reports the error of the server or the network.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use secrecy::ExposeSecret as _;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::connect::postgres_options;
use super::{Error, Registry};
use settings::DatabaseTarget;

/// Timeout for opening a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for the pool before trying a separate connection.
const POOL_PATIENCE: Duration = Duration::from_secs(1);

impl Registry {
    /// Opens and closes a connection outside the pool.
    ///
    /// # Errors
    /// Returns [`Error::Unreachable`] with the cause if no connection can be opened within 5 s.
    pub async fn try_connect(&self) -> Result<(), Error> {
        let DatabaseTarget::Postgres { url } = &self.inner.target else {
            return Ok(());
        };
        let options = postgres_options(url.expose_secret(), self.inner.pooler)?;
        let place = format!(
            "{}:{}/{}{}",
            options.get_host(),
            options.get_port(),
            options
                .get_database()
                .unwrap_or_else(|| options.get_username()),
            local::container::hint(options.get_host())
        );
        let opened = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await;
        let opened = opened.unwrap_or_else(|_| {
            let late = std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no response within {} s", PATIENCE.as_secs()),
            );
            Err(sqlx::Error::Io(late))
        });
        match opened {
            Ok(connection) => {
                // The server notices a closed connection by itself, so a failed goodbye does not
                // matter.
                let _ = connection.close().await;
                Ok(())
            }
            Err(source) => Err(Error::Unreachable { place, source }),
        }
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// Returns an error with the cause if it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        match tokio::time::timeout(POOL_PATIENCE, self.ask()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_unavailable() => self.try_connect().await.and(Err(error)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.try_connect().await?;
                self.ask().await
            }
        }
    }

    async fn ask(&self) -> Result<(), Error> {
        self.reader().await?.execute_unprepared("SELECT 1").await?;
        Ok(())
    }
}

impl Error {
    /// Whether waiting may help: the server is starting or full, or the network is down. A wrong
    /// password or an unknown database stays wrong.
    pub fn is_transient(&self) -> bool {
        let Self::Unreachable { source, .. } = self else {
            return self.is_unavailable();
        };
        match source {
            // Class 28: invalid authorization; 3D000: no such database (PostgreSQL, appendix A).
            sqlx::Error::Database(error) => !error
                .code()
                .is_some_and(|code| code.starts_with("28") || code == "3D000"),
            sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => false,
            _ => true,
        }
    }
}
