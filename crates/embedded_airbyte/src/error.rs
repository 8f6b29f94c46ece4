//! Why the engine could not start or had to stop. `fault` contains the errors for callers of the
//! API.

use std::path::PathBuf;

/// A failure of the engine as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory or a file in it could not be made or read.
    #[error("using {path}")]
    Home {
        /// What was used.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another process has the data directory open.
    #[error(
        "{path} is in use by another embedded Airbyte: stop it, or choose another AAM_HOME for this one"
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database could not be opened, migrated or read.
    #[error("opening the engine's database")]
    Database(#[source] sea_orm::DbErr),
    /// Not bound to loopback, and no key.
    #[error(
        "BIND_ADDRESS={0} is reachable from other machines, and no key is set: set AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET, or AAM_API_KEY, or bind to 127.0.0.1"
    )]
    Open(String),
    /// An entry of the list of hosts is malformed.
    #[error("AAM_CONNECTOR_HOSTS: {0:?} is not a host name, an address or a network")]
    ConnectorHosts(String),
    /// The address is taken or not ours.
    #[error("listening on {address} (SERVICE_PORT_EMBEDDED_AIRBYTE, BIND_ADDRESS)")]
    Bind {
        /// Host and port.
        address: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The stored signing key was sealed with another key.
    #[error(
        "airbyte.db was encrypted with another AIRBYTE_SECRET_KEY: restore the previous key; if it is lost, move airbyte.db away and start again"
    )]
    SealKey,
    /// The HTTP server failed.
    #[error("serving HTTP")]
    Serve(#[source] std::io::Error),
    /// The engine must run on a tokio runtime.
    #[error("no tokio runtime")]
    Runtime(#[source] tokio::runtime::TryCurrentError),
    /// Definitions that users added could not be read.
    #[error("reading the connector definitions that were added")]
    Definitions(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A local connector's definition clashes with another one.
    #[error("connector definition {0} is defined twice")]
    DefinedTwice(uuid::Uuid),
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error)
    }
}
