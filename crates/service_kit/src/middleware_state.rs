//! The state of a service's request middleware: authentication, limits and idempotency.

use crate::access::{Access, AccessError};
use crate::idempotency::Idempotency;
use crate::limits::Limits;
use settings::Settings;
use shared::registry::Registry;

/// The state of a service's request middleware.
#[derive(Debug, Clone)]
pub struct MiddlewareState {
    pub(crate) service: &'static str,
    pub(crate) access: Access,
    pub(crate) idempotency: Idempotency,
    pub(crate) limits: Limits,
}

impl MiddlewareState {
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
