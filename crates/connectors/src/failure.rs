//! Why a connector fails, in the protocol's terms.

use airbyte_protocol::{ErrorTrace, FailureType, StreamDescriptor};
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

/// A failure: words for users, and whose fault it is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) kind: FailureType,
    internal: Option<String>,
    stream: Option<StreamDescriptor>,
}

impl Failure {
    /// The configuration, the catalog or the command line is at fault.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::of(FailureType::ConfigError, message)
    }

    /// The connector or the machine is at fault.
    pub(crate) fn system(message: impl Into<String>) -> Self {
        Self::of(FailureType::SystemError, message)
    }

    /// It goes away by itself.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::of(FailureType::TransientError, message)
    }

    fn of(kind: FailureType, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind,
            internal: None,
            stream: None,
        }
    }

    /// Adds the cause, for developers.
    pub(crate) fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.internal = Some(cause.to_string());
        self
    }

    /// Names the stream it concerns.
    pub(crate) fn in_stream(mut self, stream: &StreamDescriptor) -> Self {
        self.stream.get_or_insert_with(|| stream.clone());
        self
    }

    pub(crate) fn to_trace(&self) -> ErrorTrace {
        ErrorTrace {
            message: self.message.clone(),
            internal_message: self.internal.clone(),
            stack_trace: None,
            failure_type: Some(self.kind),
            stream_descriptor: self.stream.clone(),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if let Some(of_postgres) = error
            .as_database_error()
            .and_then(|e| e.try_downcast_ref::<PgDatabaseError>())
        {
            return crate::postgres::of_database(of_postgres);
        }
        if let Some(of_mysql) = error
            .as_database_error()
            .and_then(|e| e.try_downcast_ref::<MySqlDatabaseError>())
        {
            return crate::source_mysql::of_database(of_mysql);
        }
        // SQLite has no connection to lose.
        if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_)) {
            return Self::transient("the connection to the database was lost").because(error);
        }
        // Primary result code of SQLite; the upper bytes only refine it.
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff);
        let detail = error
            .as_database_error()
            .map_or_else(|| error.to_string(), |e| e.to_string());
        match code {
            Some(5 | 6) => {
                Self::transient("timed out waiting for another process to release the database")
            }
            Some(8) => Self::config("the database is read-only"),
            Some(13) => Self::system("the disk or the database is full"),
            Some(14) => Self::config("the database file cannot be opened"),
            Some(26) => Self::config("the file is not a SQLite database"),
            _ => Self::system(format!("SQLite failed: {detail}")),
        }
        .because(detail)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::system("reading stdin or writing stdout failed").because(error)
    }
}
