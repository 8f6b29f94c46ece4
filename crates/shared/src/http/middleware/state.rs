//! The state of a service's request middleware: authentication, limits and idempotency.

use crate::http::access::{Access, AccessError};
use crate::http::idempotency::Idempotency;
use crate::http::limits::Limits;
use crate::registry::Registry;
use crate::settings::Settings;

/// The state of a service's request middleware.
#[derive(Debug, Clone)]
pub struct MiddlewareState {
    pub(in crate::http) service: &'static str,
    pub(in crate::http) access: Access,
    pub(in crate::http) idempotency: Idempotency,
    pub(in crate::http) limits: Limits,
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
