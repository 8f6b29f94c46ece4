//! Who may call: holders of `AAM_API_KEY` or a stored key, services of ours by their tokens, and anybody on loopback
//! while no key exists.

use contracts::Role;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use super::actor::Actor;
use super::hosts::{Hosts, is_loopback};
use super::key_ring::KeyRing;
use crate::registry::Registry;
use crate::registry::keys::digest;
use crate::service_token::{NotVerified, ServiceTokens};
use crate::settings::Settings;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person or program.
    Caller {
        /// Stays the same as long as the key: its id, [`API_KEY`] or [`ANONYMOUS`].
        id: String,
        /// The key's name, as the audit log tells it.
        name: String,
        /// What it may do.
        role: Role,
    },
    /// Another service of ours.
    Service {
        /// Its name.
        name: String,
        /// For whom it calls, where somebody asked it.
        on_behalf_of: Option<(String, Role)>,
    },
}

/// The caller who shows `AAM_API_KEY`.
pub const API_KEY: &str = "AAM_API_KEY";
/// Whoever calls on loopback while no key exists.
pub const ANONYMOUS: &str = "anonymous";

impl Principal {
    fn admin(name: &str) -> Self {
        Self::Caller {
            id: name.to_owned(),
            name: name.to_owned(),
            role: Role::Admin,
        }
    }

    /// What it may do. Services of ours may do everything; what their caller may do they checked.
    pub fn role(&self) -> Role {
        match self {
            Self::Caller { role, .. } => *role,
            Self::Service { .. } => Role::Admin,
        }
    }

    /// How the audit log calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Caller { name, .. } | Self::Service { name, .. } => name,
        }
    }

    /// Tells callers apart.
    pub fn id(&self) -> String {
        match self {
            Self::Caller { id, .. } => id.clone(),
            Self::Service { name, .. } => format!("service/{name}"),
        }
    }

    /// Whoever is behind the request, for `service` that carries it out.
    pub(super) fn actor(&self, service: &'static str) -> Actor {
        let (name, role) = match self {
            Self::Caller { name, role, .. } => (name.clone(), *role),
            Self::Service {
                on_behalf_of: Some((name, role)),
                ..
            } => (name.clone(), *role),
            Self::Service { name, .. } => (name.clone(), Role::Admin),
        };
        Actor {
            service,
            name,
            role,
        }
    }
}

/// Why a service does not start, or does not let a caller in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Not bound to loopback, and no key.
    #[error(
        "BIND_ADDRESS={0} is reachable from other machines, AAM_API_KEY is not set and no key is stored: set it, or bind to 127.0.0.1"
    )]
    Open(String),
    /// The registry does not tell whether keys are stored.
    #[error("cannot tell whether an API key is stored")]
    Registry(#[from] crate::registry::Error),
    /// The data directory cannot provide the service token key.
    #[error(transparent)]
    Home(#[from] local::home::Error),
}

/// What a service accepts.
#[derive(Debug, Clone)]
pub struct Access {
    key: Option<[u8; 32]>,
    stored: KeyRing,
    tokens: ServiceTokens,
    pub(super) hosts: Hosts,
}

impl Access {
    /// What the settings and the registry say for `service`. To be called on the runtime that outlives the
    /// requests.
    ///
    /// # Errors
    /// When the service would be open to other machines without a key.
    pub async fn new(
        settings: &Settings,
        service: &'static str,
        registry: &Registry,
    ) -> Result<Self, AccessError> {
        if settings.api_key.is_none() && !is_loopback(&settings.bind_address) {
            let in_force = registry.key_list_unrevoked().await?;
            if in_force.is_empty() {
                return Err(AccessError::Open(settings.bind_address.clone()));
            }
        }
        let key = settings.api_key.as_ref();
        Ok(Self {
            key: key.map(|key| digest(key.expose_secret())),
            stored: KeyRing::new(registry.clone()),
            tokens: ServiceTokens::new(settings.service_token_key()?, service),
            hosts: Hosts::new(&settings.bind_address, &settings.allowed_hosts),
        })
    }

    /// Who calls, by the `Authorization` header; `None` when nobody we know.
    ///
    /// # Errors
    /// When the registry has to be asked and does not answer.
    pub(super) async fn principal(
        &self,
        authorization: Option<&str>,
    ) -> Result<Option<Principal>, crate::registry::Error> {
        let bearer = authorization.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())
        });
        if let Some(token) = bearer {
            match self.tokens.verify(token) {
                Ok(verified) => {
                    return Ok(Some(Principal::Service {
                        name: verified.service,
                        on_behalf_of: verified.on_behalf_of,
                    }));
                }
                // A service whose clock differs from ours must learn it, not pass for somebody else.
                Err(NotVerified::Stale) => return Ok(None),
                Err(NotVerified::Foreign) => {}
            }
            if let Some(key) = &self.key
                && bool::from(digest(token).ct_eq(key))
            {
                return Ok(Some(Principal::admin(API_KEY)));
            }
            if let Some(key) = self.stored.find(token).await? {
                return Ok(Some(Principal::Caller {
                    id: key.id.to_string(),
                    name: key.name,
                    role: key.role,
                }));
            }
        } else if authorization.is_some() {
            return Ok(None);
        }
        // A key where none exists is a mistake of the caller's, but no intrusion.
        let open = self.key.is_none() && !self.stored.any().await?;
        Ok(open.then(|| Principal::admin(ANONYMOUS)))
    }
}
