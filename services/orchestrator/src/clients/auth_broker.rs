//! The auth broker: connector configurations by credential.

use std::time::Duration;

use contracts::{CredentialValues, ErrorCode, SealedRequest};
use reqwest::Method;
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use service_kit::service_client::{Error, ServiceClient};
use service_kit::service_token::ServiceTokens;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A client for the auth broker.
#[derive(Debug, Clone)]
pub(crate) struct AuthBroker(ServiceClient);

impl AuthBroker {
    /// A client for the broker at `base`.
    pub(crate) fn new(base: Url, tokens: ServiceTokens, http: reqwest::Client) -> Self {
        Self(ServiceClient::new("auth_broker", base, tokens, http))
    }

    /// Returns the part of a source's configuration that the credential holds, ready for Airbyte.
    ///
    /// # Errors
    /// Returns the problem `credential_unknown` if the credential does not exist or is bound to
    /// another source type.
    pub(crate) async fn fragment(
        &self,
        source_type: &str,
        credential_id: &str,
    ) -> Result<CredentialValues, Error> {
        let path = ["credentials", source_type, credential_id];
        self.0.call(Method::GET, &path, None::<&()>, TIMEOUT).await
    }

    /// Seals the configuration of an operation until the operation ends, so that another process
    /// can resume it.
    ///
    /// # Errors
    /// Returns an error if the broker cannot store it.
    pub(crate) async fn seal(
        &self,
        operation: Uuid,
        configuration: &Map<String, Value>,
    ) -> Result<(), Error> {
        let operation = operation.to_string();
        let body = SealedRequest {
            configuration: configuration.clone(),
        };
        self.0
            .send(Method::PUT, &["sealed", &operation], Some(&body), TIMEOUT)
            .await
    }

    /// Returns what was sealed for an operation, if anything.
    ///
    /// # Errors
    /// Returns an error if the broker does not respond or cannot decrypt it.
    pub(crate) async fn unseal(
        &self,
        operation: Uuid,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let operation = operation.to_string();
        let path = ["sealed", operation.as_str()];
        let kept: Result<SealedRequest, Error> =
            self.0.call(Method::GET, &path, None::<&()>, TIMEOUT).await;
        match kept {
            Ok(kept) => Ok(Some(kept.configuration)),
            Err(error) if error.code() == Some(ErrorCode::OperationNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes what was sealed for an operation.
    ///
    /// # Errors
    /// Returns an error if the broker does not respond; it deletes leftovers after a day.
    pub(crate) async fn forget(&self, operation: Uuid) -> Result<(), Error> {
        let operation = operation.to_string();
        let path = ["sealed", operation.as_str()];
        self.0
            .send(Method::DELETE, &path, None::<&()>, TIMEOUT)
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
