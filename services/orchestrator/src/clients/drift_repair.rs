//! The drift-repair agent, which heals connections.

use std::time::Duration;

use contracts::{HealAnswer, HealRequest, RollbackAnswer, RollbackRequest};
use reqwest::Method;
use url::Url;

use service_kit::service_client::{Error, ServiceClient};
use service_kit::service_token::ServiceTokens;
use shared::airbyte::CONNECTOR_TIMEOUT;

/// A client for the drift-repair agent.
#[derive(Debug, Clone)]
pub(crate) struct DriftRepair(ServiceClient);

impl DriftRepair {
    /// A client for the agent at `base`.
    pub(crate) fn new(base: Url, tokens: ServiceTokens, http: reqwest::Client) -> Self {
        Self(ServiceClient::new("drift_repair_agent", base, tokens, http))
    }

    /// Heals a connection. Waits as long as a discovery, and the wait for a running job, may take.
    ///
    /// # Errors
    /// Returns the agent's problems with their codes.
    pub(crate) async fn heal(&self, request: &HealRequest) -> Result<HealAnswer, Error> {
        let timeout = CONNECTOR_TIMEOUT + Duration::from_secs(120);
        self.0
            .call(Method::POST, &["repair", "heal"], Some(request), timeout)
            .await
    }

    /// Rolls a connection back to an earlier catalog version.
    ///
    /// # Errors
    /// Returns the agent's problems with their codes.
    pub(crate) async fn rollback(
        &self,
        request: &RollbackRequest,
    ) -> Result<RollbackAnswer, Error> {
        let path = ["repair", "rollback"];
        self.0
            .call(Method::POST, &path, Some(request), CONNECTOR_TIMEOUT)
            .await
    }

    /// The state of its circuit breaker.
    pub(crate) fn circuit(&self) -> contracts::Circuit {
        self.0.circuit()
    }

    /// Checks whether it responds.
    ///
    /// # Errors
    /// Returns an error if it does not.
    pub(crate) async fn health(&self) -> Result<(), Error> {
        self.0.health().await
    }
}
