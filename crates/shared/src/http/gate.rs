//! The state of a service's request middleware: authentication, limits and idempotency.

use super::access::{Access, AccessError};
use super::idempotency::Idempotency;
use super::limits::Limits;
use crate::registry::Registry;
use crate::settings::Settings;

/// The state of a service's request middleware.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(super) service: &'static str,
    pub(super) access: Access,
    pub(super) idempotency: Idempotency,
    pub(super) limits: Limits,
}

impl Gate {
    /// Reads the state of `service` from the settings and the registry. Call it on the runtime that
    /// outlives the requests.
    ///
    /// # Errors
    /// Returns an error if the service would be open to other machines without a key.
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
