//! The auth broker: connector configurations by credential.

use std::time::Duration;

use contracts::CredentialValues;
use reqwest::Method;
use url::Url;

use super::{Error, ServiceClient};
use crate::service_token::ServiceTokens;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A client for the auth broker.
#[derive(Debug, Clone)]
pub struct AuthBroker(ServiceClient);

impl AuthBroker {
    /// A client for the broker at `base`.
    pub fn new(base: Url, tokens: ServiceTokens, http: reqwest::Client) -> Self {
        Self(ServiceClient::new("auth_broker", base, tokens, http))
    }

    /// The part of a source's configuration that the credential holds, ready for Airbyte.
    ///
    /// # Errors
    /// A problem `credential_unknown` when there is none, or it is bound to another source type.
    pub async fn fragment(
        &self,
        source_type: &str,
        credential_id: &str,
    ) -> Result<CredentialValues, Error> {
        let path = ["credentials", source_type, credential_id];
        self.0.call(Method::GET, &path, None::<&()>, TIMEOUT).await
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn health(&self) -> Result<(), Error> {
        self.0.health().await
    }
}
