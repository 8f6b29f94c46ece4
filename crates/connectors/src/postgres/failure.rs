//! PostgreSQL's errors in the protocol's terms.

use sqlx::postgres::PgDatabaseError;

use super::config::Config;
use crate::failure::Failure;
use crate::server::distrust;

/// Why there is no session, naming the property that has to do with it.
pub(super) fn of_connecting(error: &sqlx::Error, config: &Config) -> Failure {
    let (host, port, user) = (&config.host, config.port, &config.username);
    let failure = match error {
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            Failure::transient(format!(
                "\"host\" and \"port\": {host}:{port} refuses connections"
            ))
        }
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            Failure::config(format!(
                "\"ssl_mode\": the server at {host}:{port} {}",
                distrust(&io.to_string())
            ))
        }
        sqlx::Error::Io(io) => Failure::transient(format!(
            "\"host\" and \"port\": {host}:{port} cannot be reached: {io}"
        )),
        sqlx::Error::Tls(tls) => Failure::config(format!("\"ssl_mode\": {tls}")),
        sqlx::Error::Configuration(_) => {
            Failure::config("\"ssl_mode\": a certificate or key is not in the PEM format")
        }
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some("28P01") => Failure::config(format!(
                "\"username\" and \"password\": the server does not accept them for user {user}"
            )),
            Some("28000") => Failure::config(format!(
                "\"username\" or \"ssl_mode\": the server refuses user {user} with mode {}: {}",
                config.ssl.mode.name(),
                database.message()
            )),
            Some("3D000") => {
                let name = &config.database;
                Failure::config(format!("\"database\": there is no database {name}"))
            }
            Some("42501") => Failure::config(format!(
                "\"username\": user {user} may not connect to \"database\" {}",
                config.database
            )),
            Some("53300" | "57P03") => Failure::transient(format!(
                "the server takes no connection: {}",
                database.message()
            )),
            _ => Failure::system(format!("the server refuses: {}", database.message())),
        },
        other => Failure::system(format!("connecting to {host}:{port} failed: {other}")),
    };
    failure.because(error)
}

/// Why a statement failed.
pub(crate) fn of_database(error: &PgDatabaseError) -> Failure {
    let message = error.message();
    let failure = match (error.code().get(..2).unwrap_or_default(), error.code()) {
        (_, "42501") => Failure::config(format!("the user lacks a right: {message}")),
        (_, "53100") => Failure::system("the disk of the database server is full"),
        (_, "55P03") => {
            Failure::transient("timed out waiting for a lock that another session holds")
        }
        (_, "55000" | "25006") | ("42" | "0A", _) => {
            Failure::config(format!("PostgreSQL refuses: {message}"))
        }
        ("08" | "40" | "53" | "57", _) => {
            Failure::transient(format!("PostgreSQL ended the statement: {message}"))
        }
        _ => Failure::system(format!("PostgreSQL failed: {message}")),
    };
    failure.because(format!("{} {message}", error.code()))
}
