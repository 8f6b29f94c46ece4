//! Opening a session whose texts mean the same on every server.

use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySqlConnection};

use super::failure::of_connecting;
use super::settings::{SourceSettings, SslMode};
use crate::failure::Failure;
use crate::hosts;

/// Settings of the server or the user that would change what values look like, what is compared,
/// or end a long sync: the server waits `net_write_timeout` for a destination that is slow.
const SESSION: &str = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ALLOW_INVALID_DATES', \
    net_write_timeout = 86400, net_read_timeout = 86400, wait_timeout = 86400, \
    sql_big_selects = 1, sql_select_limit = DEFAULT, sql_auto_is_null = 0; \
    SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Limits of a statement's time; each kind of server knows one of them.
const NO_LIMITS: [&str; 2] = [
    "SET SESSION max_statement_time = 0",
    "SET SESSION max_execution_time = 0",
];

/// Opens a session that cannot write.
pub(super) async fn connect(settings: &SourceSettings) -> Result<MySqlConnection, Failure> {
    hosts::permit("host", &settings.host, settings.port).await?;
    let mut options = MySqlConnectOptions::new()
        .host(&settings.host)
        .port(settings.port)
        .database(&settings.database)
        .username(&settings.username)
        .ssl_mode(match settings.ssl_mode {
            SslMode::Preferred => MySqlSslMode::Preferred,
            SslMode::Required => MySqlSslMode::Required,
            SslMode::VerifyCa => MySqlSslMode::VerifyCa,
            SslMode::VerifyIdentity => MySqlSslMode::VerifyIdentity,
        })
        .charset("utf8mb4")
        .timezone("+00:00".to_owned())
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    if let Some(password) = &settings.password {
        options = options.password(password.expose_secret());
    }
    if let Some(certificate) = &settings.certificates.ca {
        options = options.ssl_ca_from_pem(certificate.clone().into_bytes());
    }
    if let Some((certificate, key)) = &settings.certificates.client {
        options = options
            .ssl_client_cert_from_pem(certificate)
            .ssl_client_key_from_pem(key.expose_secret());
    }
    let opening = async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        for statement in NO_LIMITS {
            let outcome = sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut connection)
                .await;
            match outcome {
                // The server knows no such variable.
                Err(sqlx::Error::Database(_)) | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(connection)
    };
    match tokio::time::timeout(settings.connect_timeout, opening).await {
        Ok(opened) => opened.map_err(|error| of_connecting(&error, settings)),
        Err(_elapsed) => {
            let (host, port) = (&settings.host, settings.port);
            let seconds = settings.connect_timeout.as_secs();
            Err(Failure::transient(format!(
                "\"host\" and \"port\": {host}:{port} did not answer within {seconds} s"
            )))
        }
    }
}
