//! Who may call: the operator's API key, tokens between services, or anybody on loopback.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::service_token::ServiceTokens;
use crate::settings::Settings;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person or program with the operator's key, or anybody on loopback where none is set.
    Operator,
    /// Another service of ours, by its name.
    Service(String),
}

/// Why a service does not start, or does not let a caller in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Not bound to loopback, and no key.
    #[error(
        "BIND_ADDRESS={0} is reachable from other machines, and AAM_API_KEY is not set: set it, or bind to 127.0.0.1"
    )]
    Open(String),
    /// The data directory cannot provide the service token key.
    #[error(transparent)]
    Home(#[from] crate::home::Error),
}

/// What a service accepts.
#[derive(Debug, Clone)]
pub struct Access {
    key: Option<[u8; 32]>,
    tokens: ServiceTokens,
    hosts: Vec<String>,
}

impl Access {
    /// What the settings say for `service`.
    ///
    /// # Errors
    /// When the service would be open to other machines without a key.
    pub fn new(settings: &Settings, service: &'static str) -> Result<Self, AccessError> {
        if settings.api_key.is_none() && !is_loopback(&settings.bind_address) {
            return Err(AccessError::Open(settings.bind_address.clone()));
        }
        let mut hosts = settings.allowed_hosts.clone();
        hosts.push(settings.bind_address.to_lowercase());
        Ok(Self {
            key: settings.api_key.as_ref().map(digest),
            tokens: ServiceTokens::new(settings.service_token_key()?, service),
            hosts,
        })
    }

    /// Who calls, by the `Authorization` header; `None` when nobody we know.
    pub(super) fn principal(&self, authorization: Option<&str>) -> Option<Principal> {
        let bearer = authorization.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())
        });
        if let Some(token) = bearer {
            if let Some(service) = self.tokens.verify(token) {
                return Some(Principal::Service(service));
            }
            if let Some(key) = &self.key {
                let sent: [u8; 32] = Sha256::digest(token.as_bytes()).into();
                return bool::from(sent.ct_eq(key)).then_some(Principal::Operator);
            }
            // A key where none is configured is a mistake of the caller's, but no intrusion.
            return Some(Principal::Operator);
        }
        match (authorization, self.key) {
            (None, None) => Some(Principal::Operator),
            _ => None,
        }
    }

    /// Whether a `Host` header names this service.
    pub(super) fn knows_host(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => host.split(':').next().unwrap_or(&host),
        };
        is_loopback(name)
            || self
                .hosts
                .iter()
                .any(|allowed| *allowed == name || *allowed == host)
    }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn digest(key: &SecretString) -> [u8; 32] {
    Sha256::digest(key.expose_secret().as_bytes()).into()
}
