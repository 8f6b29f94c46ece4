//! What stands before a service: who may call, how much, and what is done about requests that are
//! sent twice.

use super::access::{Access, AccessError};
use super::idempotency::Idempotency;
use super::limits::Limits;
use crate::registry::Registry;
use crate::settings::Settings;

/// What stands before a service.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(super) service: &'static str,
    pub(super) access: Access,
    pub(super) idempotency: Idempotency,
    pub(super) limits: Limits,
}

impl Gate {
    /// What the settings and the registry say for `service`. To be called on the runtime that
    /// outlives the requests.
    ///
    /// # Errors
    /// When the service would be open to other machines without a key.
    pub async fn new(
        settings: &Settings,
        service: &'static str,
        registry: &Registry,
    ) -> Result<Self, AccessError> {
        let key = settings.service_token_key()?;
        Ok(Self {
            service,
            access: Access::new(settings, service, registry).await?,
            idempotency: Idempotency::new(service, registry.clone(), key),
            limits: Limits::new(settings),
        })
    }
}
