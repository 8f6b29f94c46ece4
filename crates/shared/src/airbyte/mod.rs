//! A client for both of Airbyte's APIs.
//!
//! Decoding is lenient: missing or unknown members are ignored unless AAM needs them. Errors carry
//! Airbyte's own message. Job ids are integers in Airbyte and strings here.

mod actors;
mod call;
mod config_api;
mod error;
mod jobs;
mod metrics;
mod public_api;
mod token;
pub mod types;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use http_client::DEFAULT_TIMEOUT;
use http_client::Dependency;
use redaction::shown_url;
use settings::AirbyteUrls;

pub use actors::ActorKind;
pub use config_api::{ConnectionUpdate, RefreshMode};
pub use error::{Error, ErrorKind};
pub use jobs::JOB_PAGE;
pub use public_api::{Configurations, NewConnection};

/// Discoveries and checks wait for a connector; Airbyte itself times out after about ten minutes.
pub const CONNECTOR_TIMEOUT: Duration = Duration::from_secs(11 * 60);

/// A client for one Airbyte; cheap to clone.
#[derive(Clone)]
pub struct Airbyte {
    inner: Arc<Inner>,
}

struct Inner {
    /// The public API's base without user information.
    instance: String,
    urls: AirbyteUrls,
    http: reqwest::Client,
    tokens: Option<token::Tokens>,
    dependency: Dependency,
    /// Timeout of calls that do not wait for a connector; the other timeouts are proportional to
    /// it.
    quick_timeout: Duration,
}

impl std::fmt::Debug for Airbyte {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Airbyte({})", self.inner.instance)
    }
}

impl Airbyte {
    /// Creates a client for the Airbyte at `urls`. Without client credentials it sends no token, as
    /// an Airbyte with authentication disabled requires.
    pub fn new(
        urls: AirbyteUrls,
        client: Option<(String, SecretString)>,
        http: reqwest::Client,
    ) -> Self {
        Self::with_timeout(urls, client, http, DEFAULT_TIMEOUT)
    }

    /// As `new`, with a timeout other than 30 s for calls that do not wait for a connector; the
    /// other timeouts are scaled accordingly.
    pub fn with_timeout(
        urls: AirbyteUrls,
        client: Option<(String, SecretString)>,
        http: reqwest::Client,
        quick_timeout: Duration,
    ) -> Self {
        let dependency = Dependency::new("airbyte");
        let tokens = client.map(|(id, secret)| {
            let dependency = dependency.clone();
            token::Tokens::new(
                &urls.public,
                id,
                secret,
                http.clone(),
                dependency,
                quick_timeout,
            )
        });
        Self {
            inner: Arc::new(Inner {
                instance: shown_url::shown_text(&urls.public),
                urls,
                http,
                tokens,
                dependency,
                quick_timeout,
            }),
        }
    }

    /// Base URL of the public API without user information; identifies the instance.
    pub fn instance(&self) -> &str {
        &self.inner.instance
    }
}

#[cfg(test)]
mod tests;
