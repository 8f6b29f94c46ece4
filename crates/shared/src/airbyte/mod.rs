//! A client for both of Airbyte's APIs.
//!
//! Decoding is lenient: members that are missing or new do not matter unless they are needed.
//! What fails is told in Airbyte's own words. Ids of jobs are integers there and strings here.

mod actors;
mod call;
mod config_api;
mod error;
mod jobs;
mod public_api;
mod token;
pub mod types;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::http::client::DEFAULT_TIMEOUT;
use crate::http::outgoing::Dependency;
use crate::settings::AirbyteUrls;
use redaction::shown_url;

pub use actors::ActorKind;
pub use config_api::{ConnectionUpdate, RefreshMode};
pub use error::{Error, ErrorKind};
pub use jobs::JOB_PAGE;
pub use public_api::{Configurations, NewConnection};

/// Discover and check wait for a connector; Airbyte itself gives up after about ten minutes.
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
    /// For a call that waits for no connector; the others' time-outs are in proportion.
    quick_timeout: Duration,
}

impl std::fmt::Debug for Airbyte {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Airbyte({})", self.inner.instance)
    }
}

impl Airbyte {
    /// A client for the Airbyte at `urls`. Without client credentials no token is sent, which is
    /// what an Airbyte with authentication switched off wants.
    pub fn new(
        urls: AirbyteUrls,
        client: Option<(String, SecretString)>,
        http: reqwest::Client,
    ) -> Self {
        Self::with_timeout(urls, client, http, DEFAULT_TIMEOUT)
    }

    /// The same with another time-out than 30 s for a call that waits for no connector; those of
    /// the others are in proportion.
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

    /// Base URL of the public API, without user information; names the instance.
    pub fn instance(&self) -> &str {
        &self.inner.instance
    }
}

#[cfg(test)]
mod tests;
