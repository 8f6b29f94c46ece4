//! The part of a configuration about the server's address and the credentials.

use std::time::Duration;

use secrecy::SecretString;

use crate::failure::Failure;
use crate::server::{CONNECT_TIMEOUT, Certificates, Settings, connect_timeout};

/// Where the server is and how to get in.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) username: String,
    pub(crate) password: Option<SecretString>,
    pub(crate) ssl: Ssl,
    pub(crate) connect_timeout: Duration,
    pub(crate) application_name: String,
}

/// How the connection is encrypted, and who has to prove what.
#[derive(Clone)]
pub(crate) struct Ssl {
    pub(crate) mode: SslMode,
    pub(crate) certificates: Certificates,
}

/// The server's own words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

const SSL_MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

impl SslMode {
    pub(crate) fn name(self) -> &'static str {
        let found = SSL_MODES.iter().find(|(_, mode)| *mode == self);
        found.map_or("prefer", |(name, _)| name)
    }
}

impl Config {
    /// Reads what both connectors' configurations have in common.
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        settings.without_tunnel()?;
        let mut config = Self {
            host: settings.required("host")?,
            port: settings.port(5432)?,
            database: settings.required("database")?,
            username: settings.required("username")?,
            password: settings.text("password")?.map(SecretString::from),
            ssl: ssl(settings)?,
            connect_timeout: CONNECT_TIMEOUT,
            application_name: "aam".to_owned(),
        };
        for (name, value) in settings.jdbc_parameters()? {
            match name.as_str() {
                "connectTimeout" => {
                    config.connect_timeout = connect_timeout(&value, Duration::from_secs(1))?;
                }
                "ApplicationName" => config.application_name = value,
                other => {
                    return Err(Failure::config(format!(
                        "\"jdbc_url_params\": {other} is not supported; there are connectTimeout and ApplicationName"
                    )));
                }
            }
        }
        Ok(config)
    }
}

fn ssl(settings: &Settings) -> Result<Ssl, Failure> {
    let Some(given) = settings.object("ssl_mode")? else {
        return Ok(Ssl {
            mode: SslMode::Prefer,
            certificates: Certificates::default(),
        });
    };
    let mode = given.text_shown("mode", "ssl_mode.mode")?;
    let name = mode.unwrap_or_else(|| "prefer".to_owned());
    let known = SSL_MODES.iter().find(|(known, _)| *known == name);
    let mode = known.map(|(_, mode)| *mode).ok_or_else(|| {
        let names = SSL_MODES.map(|(name, _)| name).join(", ");
        Failure::config(format!("\"ssl_mode.mode\" has to be one of {names}"))
    })?;
    let verifies = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull);
    Ok(Ssl {
        mode,
        certificates: Certificates::of(&given, &name, verifies)?,
    })
}
