//! The part of a configuration that says where the server is and how to get in. Faults name the
//! property; values are never repeated, since some are secrets.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// A configuration's properties, unread.
pub(crate) struct Settings(Map<String, Value>);

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
    pub(crate) ca_certificate: Option<String>,
    /// The client's certificate and its key.
    pub(crate) client: Option<(String, SecretString)>,
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

impl Settings {
    /// Reads the configuration file's text.
    pub(crate) fn parse(config: &SecretString) -> Result<Self, Failure> {
        match serde_json::from_str(config.expose_secret()) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Failure::config("the configuration is no JSON object")),
        }
    }

    /// A text; nothing where it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        text_of(&self.0, name, name)
    }

    /// A text that has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, Failure> {
        self.text(name)?
            .ok_or_else(|| Failure::config(format!("the configuration needs \"{name}\"")))
    }

    /// A list of texts; nothing where it is absent or empty.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        let wrong = || Failure::config(format!("\"{name}\" has to be a list of texts"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(wrong);
                let items = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                Ok((!items.is_empty()).then_some(items))
            }
            Some(_) => Err(wrong()),
        }
    }

    /// An object; nothing where it is absent.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members.clone()))),
            Some(_) => Err(Failure::config(format!("\"{name}\" has to be an object"))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| Failure::config(format!("\"{name}\" has to be a whole number"))),
        }
    }
}

fn text_of(
    members: &Map<String, Value>,
    name: &str,
    shown: &str,
) -> Result<Option<String>, Failure> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Failure::config(format!("\"{shown}\" has to be a text"))),
    }
}

impl Config {
    /// Reads what both connectors' configurations have in common.
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        let port = settings.number("port")?.unwrap_or(5432);
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Failure::config("\"port\" has to be between 1 and 65535"))?;
        if let Some(tunnel) = settings.object("tunnel_method")?
            && tunnel
                .text("tunnel_method")?
                .is_some_and(|m| m != "NO_TUNNEL")
        {
            return Err(Failure::config(
                "\"tunnel_method\": SSH tunnels are not supported, only NO_TUNNEL",
            ));
        }
        let mut config = Self {
            host: settings.required("host")?,
            port,
            database: settings.required("database")?,
            username: settings.required("username")?,
            password: settings.text("password")?.map(SecretString::from),
            ssl: ssl(settings)?,
            connect_timeout: Duration::from_secs(30),
            application_name: "aam".to_owned(),
        };
        if let Some(parameters) = settings.text("jdbc_url_params")? {
            config.apply(&parameters)?;
        }
        Ok(config)
    }

    /// Takes over the parameters of a JDBC URL that have a meaning here.
    fn apply(&mut self, parameters: &str) -> Result<(), Failure> {
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "connectTimeout" => {
                    let seconds = value.parse().ok().filter(|s| (1..=600).contains(s));
                    self.connect_timeout = Duration::from_secs(seconds.ok_or_else(|| {
                        Failure::config(
                            "\"jdbc_url_params\": connectTimeout has to be 1 to 600 seconds",
                        )
                    })?);
                }
                "ApplicationName" => self.application_name = value.to_owned(),
                other => {
                    return Err(Failure::config(format!(
                        "\"jdbc_url_params\": {other} is not supported; there are connectTimeout and ApplicationName"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn ssl(settings: &Settings) -> Result<Ssl, Failure> {
    let mut ssl = Ssl {
        mode: SslMode::Prefer,
        ca_certificate: None,
        client: None,
    };
    let Some(given) = settings.object("ssl_mode")? else {
        return Ok(ssl);
    };
    let named = |name: &str| text_of(&given.0, name, &format!("ssl_mode.{name}"));
    let mode = named("mode")?.unwrap_or_else(|| "prefer".to_owned());
    let known = SSL_MODES.iter().find(|(name, _)| *name == mode);
    ssl.mode = known.map(|(_, mode)| *mode).ok_or_else(|| {
        let names = SSL_MODES.map(|(name, _)| name).join(", ");
        Failure::config(format!("\"ssl_mode.mode\" has to be one of {names}"))
    })?;
    ssl.ca_certificate = named("ca_certificate")?;
    if matches!(ssl.mode, SslMode::VerifyCa | SslMode::VerifyFull) && ssl.ca_certificate.is_none() {
        return Err(Failure::config(format!(
            "\"ssl_mode.ca_certificate\" is needed for the mode {mode}"
        )));
    }
    if named("client_key_password")?.is_some() {
        return Err(Failure::config(
            "\"ssl_mode.client_key_password\": encrypted keys are not supported",
        ));
    }
    ssl.client = match (named("client_certificate")?, named("client_key")?) {
        (Some(certificate), Some(key)) => Some((certificate, key.into())),
        (None, None) => None,
        (Some(_), None) => {
            return Err(Failure::config("\"ssl_mode.client_key\" is missing"));
        }
        (None, Some(_)) => {
            return Err(Failure::config(
                "\"ssl_mode.client_certificate\" is missing",
            ));
        }
    };
    Ok(ssl)
}
