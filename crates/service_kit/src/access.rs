//! Authentication: accepts `AAM_API_KEY` or a stored key, tokens of AAM's services, and on loopback
//! any caller while no key exists.

use contracts::Role;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use crate::api_key_cache::ApiKeyCache;
use crate::service_token::{NotVerified, ServiceTokens};
use context::caller::CallerContext;
use http_server::hosts::{Hosts, is_loopback};
use settings::Settings;
use shared::registry::Registry;
use shared::registry::keys::digest;

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person or program.
    Caller {
        /// Stable for the lifetime of the key: its id, [`API_KEY`] or [`ANONYMOUS`].
        id: String,
        /// The key's name, as in the audit log.
        name: String,
        /// Its role.
        role: Role,
    },
    /// Another AAM service.
    Service {
        /// Its name.
        name: String,
        /// The caller on whose behalf it calls, if any.
        on_behalf_of: Option<(String, Role)>,
    },
}

/// Id of a caller with `AAM_API_KEY`.
pub const API_KEY: &str = "AAM_API_KEY";
/// Id of a caller on loopback while no key exists.
pub const ANONYMOUS: &str = "anonymous";

impl Principal {
    fn admin(name: &str) -> Self {
        Self::Caller {
            id: name.to_owned(),
            name: name.to_owned(),
            role: Role::Admin,
        }
    }

    /// The caller's role. Services have every permission; they have checked their own caller's.
    pub fn role(&self) -> Role {
        match self {
            Self::Caller { role, .. } => *role,
            Self::Service { .. } => Role::Admin,
        }
    }

    /// The name in the audit log.
    pub fn name(&self) -> &str {
        match self {
            Self::Caller { name, .. } | Self::Service { name, .. } => name,
        }
    }

    /// An id that is unique per caller.
    pub fn id(&self) -> String {
        match self {
            Self::Caller { id, .. } => id.clone(),
            Self::Service { name, .. } => format!("service/{name}"),
        }
    }

    /// The caller context of a request that `service` carries out.
    pub(super) fn actor(&self, service: &'static str) -> CallerContext {
        let (name, role) = match self {
            Self::Caller { name, role, .. } => (name.clone(), *role),
            Self::Service {
                on_behalf_of: Some((name, role)),
                ..
            } => (name.clone(), *role),
            Self::Service { name, .. } => (name.clone(), Role::Admin),
        };
        CallerContext {
            service,
            name,
            role,
        }
    }
}

/// Why a service does not start, or cannot authenticate a caller.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Not bound to loopback, and no key.
    #[error(
        "BIND_ADDRESS={0} is reachable from other machines, but AAM_API_KEY is not set and no key \
         is stored: set it, or bind to 127.0.0.1"
    )]
    Open(String),
    /// The registry cannot be asked whether keys are stored.
    #[error("cannot determine whether an API key is stored")]
    Registry(#[from] shared::registry::Error),
    /// The data directory cannot provide the service token key.
    #[error(transparent)]
    Home(#[from] local::home::Error),
}

/// The credentials that a service accepts.
#[derive(Debug, Clone)]
pub struct Access {
    key: Option<[u8; 32]>,
    stored: ApiKeyCache,
    tokens: ServiceTokens,
    pub(super) hosts: Hosts,
}

impl Access {
    /// Reads the access rules of `service` from the settings and the registry. Call it on the
    /// runtime that outlives the requests.
    ///
    /// # Errors
    /// Returns an error if the service would be open to other machines without a key.
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
            stored: ApiKeyCache::new(registry.clone()),
            tokens: ServiceTokens::new(settings.service_token_key()?, service),
            hosts: Hosts::new(&settings.bind_address, &settings.allowed_hosts),
        })
    }

    /// Identifies the caller by the `Authorization` header; `None` if the credentials are unknown.
    ///
    /// # Errors
    /// Returns an error if the registry has to be queried and does not respond.
    pub(super) async fn principal(
        &self,
        authorization: Option<&str>,
    ) -> Result<Option<Principal>, shared::registry::Error> {
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
                // A service whose clock differs from ours must learn it, and must not pass as
                // another caller.
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
        // A key sent while none exists is the caller's mistake, not an intrusion.
        let open = self.key.is_none() && !self.stored.any().await?;
        Ok(open.then(|| Principal::admin(ANONYMOUS)))
    }
}
