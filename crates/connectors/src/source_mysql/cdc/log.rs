//! A session that reads the binary log, up to where it ends.

use mysql_async::{
    BinlogStream, BinlogStreamRequest, ClientIdentity, Conn, Error, OptsBuilder, SslOpts,
};
use secrecy::ExposeSecret;
use sqlx::MySqlConnection;

use super::Position;
use crate::failure::Failure;
use crate::source_mysql::settings::{SourceSettings, SslMode};
use crate::source_mysql::sql::texts;

/// Whether a session is encrypted: the other driver does not find that out by itself.
pub(super) async fn is_encrypted(connection: &mut MySqlConnection) -> Result<bool, Failure> {
    let status = texts(
        connection,
        "SHOW SESSION STATUS LIKE 'Ssl_cipher'".to_owned(),
    )
    .await?;
    let cipher = status.first().and_then(|row| row.get(1).cloned().flatten());
    Ok(cipher.is_some_and(|cipher| !cipher.is_empty()))
}

/// Opens the log at a place; its stream ends where the log does.
pub(super) async fn open(
    settings: &SourceSettings,
    encrypted: bool,
    from: &Position,
) -> Result<BinlogStream, Failure> {
    let opening = async {
        let connection = Conn::new(options(settings, encrypted)).await?;
        // Two readers of the same number push each other out.
        let number = u32::from_le_bytes(uuid::Uuid::new_v4().as_bytes()[..4].try_into()?);
        let request = BinlogStreamRequest::new(number | 1 << 31)
            .with_filename(from.log_file.as_bytes())
            .with_pos(from.log_pos)
            .with_non_blocking();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            connection.get_binlog_stream(request).await?,
        )
    };
    let opened = tokio::time::timeout(settings.connect_timeout, opening).await;
    let opened = opened.map_err(|_| Failure::transient("the server does not open its log"))?;
    opened.map_err(|error| match error.downcast::<Error>() {
        Ok(error) => of_log(&error),
        Err(error) => Failure::system("the log cannot be opened").because(error),
    })
}

fn options(settings: &SourceSettings, encrypted: bool) -> OptsBuilder {
    let password = settings
        .password
        .as_ref()
        .map(|p| p.expose_secret().to_owned());
    let pem = |text: &str| text.as_bytes().to_vec().into();
    let certificates = &settings.certificates;
    let ssl = encrypted.then(|| {
        let identity = certificates.client.as_ref().map(|(certificate, key)| {
            ClientIdentity::new(pem(certificate), pem(key.expose_secret()))
        });
        let verifies = matches!(
            settings.ssl_mode,
            SslMode::VerifyCa | SslMode::VerifyIdentity
        );
        SslOpts::default()
            .with_root_certs(certificates.ca.iter().map(|ca| pem(ca)).collect())
            .with_disable_built_in_roots(certificates.ca.is_some())
            .with_client_identity(identity)
            .with_danger_accept_invalid_certs(!verifies)
            .with_danger_skip_domain_validation(settings.ssl_mode != SslMode::VerifyIdentity)
    });
    OptsBuilder::default()
        .ip_or_hostname(settings.host.clone())
        .tcp_port(settings.port)
        .user(Some(settings.username.clone()))
        .pass(password)
        .prefer_socket(false)
        .ssl_opts(ssl)
        // The server waits for a destination that is slow.
        .init(vec!["SET SESSION net_write_timeout = 86400"])
}

/// Why the log cannot be read.
pub(super) fn of_log(error: &Error) -> Failure {
    let failure = match error {
        Error::Server(server) if server.code == 1227 => Failure::config(format!(
            "\"username\": CDC needs the rights REPLICATION SLAVE and REPLICATION CLIENT: {}",
            server.message
        )),
        Error::Server(server) => Failure::system(format!(
            "the server does not give its log: {}",
            server.message
        )),
        Error::Io(_) => Failure::transient("the connection to the database was lost"),
        other => Failure::system(format!("the log cannot be read: {other}")),
    };
    failure.because(error)
}
