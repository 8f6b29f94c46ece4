//! The source's settings.

use std::time::Duration;

use secrecy::SecretString;

use crate::failure::Failure;
use crate::server::{CONNECT_TIMEOUT, Certificates, Settings, connect_timeout};

/// Where the server is, how to get in, and how to read.
#[derive(Clone)]
pub(super) struct SourceSettings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) username: String,
    pub(super) password: Option<SecretString>,
    pub(super) ssl_mode: SslMode,
    pub(super) certificates: Certificates,
    pub(super) connect_timeout: Duration,
    /// Whether `tinyint(1)` is read as a boolean.
    pub(super) tiny_is_boolean: bool,
    /// Set where changes are found in the server's log.
    pub(super) cdc: Option<Cdc>,
}

/// How the server's log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cdc {
    /// Whether everything is read again if the log has lost changes; otherwise that is a failure.
    pub(super) resyncs: bool,
}

/// How the connection is encrypted, and who has to prove what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SslMode {
    Preferred,
    Required,
    VerifyCa,
    VerifyIdentity,
}

const SSL_MODES: [(&str, SslMode); 4] = [
    ("preferred", SslMode::Preferred),
    ("required", SslMode::Required),
    ("verify_ca", SslMode::VerifyCa),
    ("verify_identity", SslMode::VerifyIdentity),
];

impl SslMode {
    pub(super) fn name(self) -> &'static str {
        let found = SSL_MODES.iter().find(|(_, mode)| *mode == self);
        found.map_or("preferred", |(name, _)| name)
    }
}

impl SourceSettings {
    pub(super) fn parse(config: &SecretString) -> Result<Self, Failure> {
        let settings = Settings::parse(config)?;
        settings.without_tunnel()?;
        let (ssl_mode, certificates) = ssl(&settings)?;
        let mut parsed = Self {
            host: settings.required("host")?,
            port: settings.port(3306)?,
            database: settings.required("database")?,
            username: settings.required("username")?,
            password: settings.text("password")?.map(SecretString::from),
            ssl_mode,
            certificates,
            connect_timeout: CONNECT_TIMEOUT,
            tiny_is_boolean: true,
            cdc: cdc(&settings)?,
        };
        for (name, value) in settings.jdbc_parameters()? {
            parsed.apply(&name, &value)?;
        }
        Ok(parsed)
    }

    /// Takes over a parameter of a JDBC URL that has a meaning here.
    fn apply(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match (name, value) {
            ("connectTimeout", _) => {
                self.connect_timeout = connect_timeout(value, Duration::from_millis(1))?;
            }
            ("tinyInt1isBit", "true") => self.tiny_is_boolean = true,
            ("tinyInt1isBit", "false") => self.tiny_is_boolean = false,
            ("zeroDateTimeBehavior", "CONVERT_TO_NULL" | "convertToNull") => {}
            _ => {
                return Err(Failure::config(format!(
                    "\"jdbc_url_params\": {name}={value} is not supported; there are connectTimeout \
                     (milliseconds), tinyInt1isBit (true or false) and zeroDateTimeBehavior=CONVERT_TO_NULL"
                )));
            }
        }
        Ok(())
    }
}

fn cdc(settings: &Settings) -> Result<Option<Cdc>, Failure> {
    let Some(method) = settings.object("replication_method")? else {
        return Ok(None);
    };
    match method.text("method")?.as_deref() {
        None | Some("STANDARD") => return Ok(None),
        Some("CDC") => {}
        Some(_) => {
            return Err(Failure::config(
                "\"replication_method.method\" has to be STANDARD or CDC",
            ));
        }
    }
    let behaviour = method.text("invalid_cdc_cursor_position_behavior")?;
    let resyncs = match behaviour.as_deref() {
        None | Some("Fail sync") => false,
        Some("Re-sync data") => true,
        Some(_) => {
            return Err(Failure::config(
                "\"replication_method.invalid_cdc_cursor_position_behavior\" has to be Fail sync or Re-sync data",
            ));
        }
    };
    Ok(Some(Cdc { resyncs }))
}

fn ssl(settings: &Settings) -> Result<(SslMode, Certificates), Failure> {
    let Some(given) = settings.object("ssl_mode")? else {
        return Ok((SslMode::Preferred, Certificates::default()));
    };
    let mode = given.text_shown("mode", "ssl_mode.mode")?;
    let name = mode.unwrap_or_else(|| "preferred".to_owned());
    let known = SSL_MODES.iter().find(|(known, _)| *known == name);
    let mode = known.map(|(_, mode)| *mode).ok_or_else(|| {
        let names = SSL_MODES.map(|(name, _)| name).join(", ");
        Failure::config(format!("\"ssl_mode.mode\" has to be one of {names}"))
    })?;
    let verifies = matches!(mode, SslMode::VerifyCa | SslMode::VerifyIdentity);
    Ok((mode, Certificates::of(&given, &name, verifies)?))
}
