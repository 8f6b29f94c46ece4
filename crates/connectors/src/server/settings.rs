//! A configuration's properties. Faults name the property; values are never repeated, since some
//! are secrets.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// A configuration's properties, unread.
pub(crate) struct Settings(Map<String, Value>);

impl Settings {
    /// Reads the configuration file's text.
    pub(crate) fn parse(config: &SecretString) -> Result<Self, Failure> {
        match serde_json::from_str(config.expose_secret()) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Failure::config("the configuration is not a JSON object")),
        }
    }

    /// A text; nothing where it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        self.text_shown(name, name)
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

    /// A port; the server's own where it is absent.
    pub(crate) fn port(&self, usual: u16) -> Result<u16, Failure> {
        let port = self.number("port")?.unwrap_or(u64::from(usual));
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        port.ok_or_else(|| Failure::config("\"port\" has to be between 1 and 65535"))
    }

    /// # Errors
    /// When a tunnel is wanted.
    pub(crate) fn without_tunnel(&self) -> Result<(), Failure> {
        if let Some(tunnel) = self.object("tunnel_method")?
            && tunnel
                .text("tunnel_method")?
                .is_some_and(|m| m != "NO_TUNNEL")
        {
            return Err(Failure::config(
                "\"tunnel_method\": SSH tunnels are not supported, only NO_TUNNEL",
            ));
        }
        Ok(())
    }

    /// The parameters of a JDBC URL, name and value.
    pub(crate) fn jdbc_parameters(&self) -> Result<Vec<(String, String)>, Failure> {
        let parameters = self.text("jdbc_url_params")?.unwrap_or_default();
        let pairs = parameters.split('&').filter(|pair| !pair.is_empty());
        let parted = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
        Ok(parted.collect())
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

    /// A string whose faults are reported under the name `shown`.
    pub(crate) fn text_shown(&self, name: &str, shown: &str) -> Result<Option<String>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::config(format!("\"{shown}\" has to be a text"))),
        }
    }
}
