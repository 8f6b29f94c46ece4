//! Opening a session whose texts mean the same on every server.

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};

use super::config::{Config, SslMode};
use super::failure::of_connecting;
use crate::failure::Failure;
use crate::hosts;

/// Settings of the server, the database or the role that would change what values look like, or
/// end a long sync.
const SESSION: &str = "SET standard_conforming_strings = on; SET bytea_output = hex; \
    SET intervalstyle = postgres; SET extra_float_digits = 1; SET statement_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning; \
    SET xmlbinary = base64; ";

/// Opens a session; `setup` are further `SET`s.
pub(crate) async fn connect(config: &Config, setup: &str) -> Result<PgConnection, Failure> {
    hosts::permit("host", &config.host, config.port).await?;
    // The driver knows no `allow`: first without TLS, then, where the server insists, with.
    let modes: &[PgSslMode] = match config.ssl.mode {
        SslMode::Disable => &[PgSslMode::Disable],
        SslMode::Allow => &[PgSslMode::Disable, PgSslMode::Require],
        SslMode::Prefer => &[PgSslMode::Prefer],
        SslMode::Require => &[PgSslMode::Require],
        SslMode::VerifyCa => &[PgSslMode::VerifyCa],
        SslMode::VerifyFull => &[PgSslMode::VerifyFull],
    };
    let mut failure = None;
    for mode in modes {
        match open(config, *mode, setup).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.expect("there is at least one mode"))
}

async fn open(config: &Config, mode: PgSslMode, setup: &str) -> Result<PgConnection, Failure> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(&config.username)
        .password(config.password.as_ref().map_or("", |p| p.expose_secret()))
        .application_name(&config.application_name)
        .ssl_mode(mode)
        // Poolers know no such start-up parameter; it is set below.
        .extra_float_digits(None)
        .disable_statement_logging();
    if let Some(certificate) = &config.ssl.certificates.ca {
        options = options.ssl_root_cert_from_pem(certificate.clone().into_bytes());
    }
    if let Some((certificate, key)) = &config.ssl.certificates.client {
        options = options
            .ssl_client_cert_from_pem(certificate)
            .ssl_client_key_from_pem(key.expose_secret());
    }
    let opening = async {
        let mut connection = options.connect().await?;
        let session = format!("{SESSION}{setup}");
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(session)))
            .await?;
        Ok(connection)
    };
    match tokio::time::timeout(config.connect_timeout, opening).await {
        Ok(opened) => opened.map_err(|error| of_connecting(&error, config)),
        Err(_elapsed) => {
            let (host, port) = (&config.host, config.port);
            let seconds = config.connect_timeout.as_secs();
            Err(Failure::transient(format!(
                "\"host\" and \"port\": {host}:{port} did not answer within {seconds} s"
            )))
        }
    }
}
