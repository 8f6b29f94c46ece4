//! The certificates of the property `ssl_mode`, and what is wrong with a server's.

use secrecy::SecretString;

use super::Settings;
use crate::failure::Failure;

/// Who is trusted, and what the client shows.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    /// The authorities, as PEM.
    pub(crate) ca: Option<String>,
    /// The client's certificate and its key, as PEM.
    pub(crate) client: Option<(String, SecretString)>,
}

impl Certificates {
    /// Reads them from the members of `ssl_mode`; a mode that verifies needs authorities.
    pub(crate) fn of(ssl_mode: &Settings, mode: &str, verifies: bool) -> Result<Self, Failure> {
        let named = |name: &str| ssl_mode.text_shown(name, &format!("ssl_mode.{name}"));
        let ca = named("ca_certificate")?;
        if verifies && ca.is_none() {
            return Err(Failure::config(format!(
                "\"ssl_mode.ca_certificate\" is needed for the mode {mode}"
            )));
        }
        if named("client_key_password")?.is_some() {
            return Err(Failure::config(
                "\"ssl_mode.client_key_password\": encrypted keys are not supported",
            ));
        }
        let client = match (named("client_certificate")?, named("client_key")?) {
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
        Ok(Self { ca, client })
    }
}

/// What is wrong with the server's certificate.
pub(crate) fn distrust(error: &str) -> String {
    if error.contains("CaUsedAsEndEntity") {
        "has a certificate that signs itself, which is not accepted; it needs one that an authority signed".to_owned()
    } else if error.contains("UnknownIssuer") {
        "has a certificate that none of \"ssl_mode.ca_certificate\" signed".to_owned()
    } else if error.contains("not valid for name") || error.contains("NotValidForName") {
        "has a certificate for another host".to_owned()
    } else {
        format!("could not be trusted: {error}")
    }
}
