//! The source's own part of the configuration.

use secrecy::SecretString;
use sqlx::PgConnection;

use crate::failure::Failure;
use crate::postgres::{Config, Settings, connect};

/// How changes are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replication {
    /// By a cursor that the connection chooses.
    Standard,
    /// By the numbers of transactions.
    Xmin,
}

/// What the source is told.
pub(super) struct SourceSettings {
    config: Config,
    /// Names of the schemas to read; nothing means all.
    pub(super) schemas: Option<Vec<String>>,
    pub(super) replication: Replication,
}

impl SourceSettings {
    pub(super) fn parse(config: &SecretString) -> Result<Self, Failure> {
        let settings = Settings::parse(config)?;
        let replication = match settings.object("replication_method")? {
            None => Replication::Standard,
            Some(method) => match method.text("method")?.as_deref() {
                None | Some("Standard") => Replication::Standard,
                Some("Xmin") => Replication::Xmin,
                Some(_) => {
                    return Err(Failure::config(
                        "\"replication_method.method\" has to be Standard or Xmin",
                    ));
                }
            },
        };
        Ok(Self {
            config: Config::of(&settings)?,
            schemas: settings.texts("schemas")?,
            replication,
        })
    }

    /// Opens a session that cannot write.
    pub(super) async fn connect(&self) -> Result<PgConnection, Failure> {
        connect(&self.config, "SET default_transaction_read_only = on;").await
    }
}
