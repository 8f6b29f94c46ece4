//! Failures of database drivers, as failures of a connector.

use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::failure::Failure;

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
