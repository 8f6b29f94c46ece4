//! Whether the database answers, and why not.
//!
//! A pool that cannot open a connection goes on trying and says only that it ran out of time; a
//! connection of its own tells what the server or the network said.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use secrecy::ExposeSecret as _;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::connect::postgres_options;
use super::{Error, Registry};
use crate::settings::DatabaseTarget;

/// How long opening a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the pool is waited for before a connection of its own is tried.
const POOL_PATIENCE: Duration = Duration::from_secs(1);

impl Registry {
    /// Opens a connection to the database beside the pool's, and closes it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with the cause when none can be opened within 5 s.
    pub async fn reach(&self) -> Result<(), Error> {
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
                format!("no answer within {} s", PATIENCE.as_secs()),
            );
            Err(sqlx::Error::Io(late))
        });
        match opened {
            Ok(connection) => {
                // The server notices a connection that is gone; nothing depends on the goodbye.
                let _ = connection.close().await;
                Ok(())
            }
            Err(source) => Err(Error::Unreachable { place, source }),
        }
    }

    /// Answers when the database does.
    ///
    /// # Errors
    /// When it does not, with the cause.
    pub async fn ping(&self) -> Result<(), Error> {
        match tokio::time::timeout(POOL_PATIENCE, self.ask()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_unavailable() => self.reach().await.and(Err(error)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.reach().await?;
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
    /// Whether waiting may help: a server that is starting or full, a network that is down. A
    /// wrong password or an unknown database stays wrong.
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
