//! MySQL's errors in the protocol's terms.

use sqlx::mysql::MySqlDatabaseError;

use super::settings::SourceSettings;
use crate::failure::Failure;
use crate::server::distrust;

/// Why there is no session, naming the property that has to do with it.
pub(super) fn of_connecting(error: &sqlx::Error, settings: &SourceSettings) -> Failure {
    let (host, port, user) = (&settings.host, settings.port, &settings.username);
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
        sqlx::Error::Tls(tls) if tls.to_string().contains("not support TLS") => {
            Failure::config(format!(
                "\"ssl_mode\": the server at {host}:{port} has no TLS, which mode {} wants",
                settings.ssl_mode.name()
            ))
        }
        sqlx::Error::Tls(tls) => Failure::config(format!("\"ssl_mode\": {tls}")),
        // The password would have to be encrypted with a key that anybody could have sent.
        sqlx::Error::Configuration(why) if why.to_string().contains("RSA") => {
            Failure::config(format!(
                "\"ssl_mode\": the server at {host}:{port} has no TLS, and takes the password of user {user} \
                 (caching_sha2_password or sha256_password) only with it"
            ))
        }
        sqlx::Error::Configuration(_) => {
            Failure::config("\"ssl_mode\": a certificate or key is not in the PEM format")
        }
        sqlx::Error::Protocol(why) if why.contains("authentication plugin") => {
            Failure::config(format!(
                "\"username\": user {user} is to prove itself in a way that is not supported ({why}); \
                 caching_sha2_password and mysql_native_password are"
            ))
        }
        sqlx::Error::Database(database) => {
            let Some(database) = database.try_downcast_ref::<MySqlDatabaseError>() else {
                return Failure::system("the server refuses").because(error);
            };
            of_login(database, settings)
        }
        other => Failure::system(format!("connecting to {host}:{port} failed: {other}")),
    };
    failure.because(error)
}

fn of_login(error: &MySqlDatabaseError, settings: &SourceSettings) -> Failure {
    let (user, database) = (&settings.username, &settings.database);
    let message = error.message();
    match error.number() {
        1045 | 1698 | 1862 | 1820 => Failure::config(format!(
            "\"username\" and \"password\": the server does not accept them for user {user}"
        )),
        1044 => Failure::config(format!(
            "\"username\": user {user} may not use \"database\" {database}"
        )),
        1049 => Failure::config(format!("\"database\": there is no database {database}")),
        1129 | 1130 => Failure::config(format!(
            "\"host\": the server takes no connection from here: {message}"
        )),
        _ if message.contains("require_secure_transport") => Failure::config(format!(
            "\"ssl_mode\": the server wants TLS, which mode {} did not bring about",
            settings.ssl_mode.name()
        )),
        1040 | 1053 | 1203 | 1226 => {
            Failure::transient(format!("the server takes no connection: {message}"))
        }
        _ => Failure::system(format!("the server refuses: {message}")),
    }
}

/// Why a statement failed.
pub(crate) fn of_database(error: &MySqlDatabaseError) -> Failure {
    let message = error.message();
    let failure = match error.number() {
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 => {
            Failure::config(format!("the user lacks a right: {message}"))
        }
        1021 | 1114 => Failure::system(format!("the database server has no room: {message}")),
        1412 => Failure::transient("the table was changed while it was to be read"),
        1205 | 1213 => {
            Failure::transient("timed out waiting for a lock that another session holds")
        }
        1040 | 1053 | 1080 | 1152 | 1158..=1161 | 1203 | 1226 | 1317 | 1927 | 1969 | 3024 => {
            Failure::transient(format!("MySQL ended the statement: {message}"))
        }
        1046..=1064 | 1146 | 1176 | 1356 => Failure::config(format!("MySQL refuses: {message}")),
        _ => Failure::system(format!("MySQL failed: {message}")),
    };
    failure.because(error)
}
