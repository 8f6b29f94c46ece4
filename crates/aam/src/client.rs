//! HTTP client for the AAM services: sends the operator's key and turns the services' problem
//! responses into errors.

use std::time::Duration;

use anyhow::Context as _;
use contracts::{ConnectionView, OperationView, Problem, Readiness};
use redaction::shown_url::shown;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use settings::{Settings, variables};
use url::Url;
use uuid::Uuid;

/// A call may include a schema discovery and a wait for a job.
const TIMEOUT: Duration = Duration::from_secs(13 * 60);
/// Timeout of a stream without an end. The reader detects a silent stream itself.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A service checks its dependencies before it reports whether it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(15);

/// A service responded with a problem.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail)]
pub(crate) struct Refused(pub(crate) Problem);

/// Response to a POST that does not have to wait for completion.
pub(crate) enum Early<T> {
    /// The operation continues in the background.
    InProgress(Box<OperationView>),
    /// The request is complete.
    Done(T),
}

/// A client for one service.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    /// Environment variable that configures the service's address.
    variable: &'static str,
    key: Option<SecretString>,
    http: reqwest::Client,
}

impl Client {
    /// A client for the orchestrator.
    pub(crate) fn orchestrator(settings: &Settings) -> anyhow::Result<Self> {
        let base = settings.service_urls.orchestrator.clone();
        Self::new(settings, base, variables::ORCHESTRATOR_URL)
    }

    /// A client for the auth broker.
    pub(crate) fn auth_broker(settings: &Settings) -> anyhow::Result<Self> {
        let base = settings.service_urls.auth_broker.clone();
        Self::new(settings, base, variables::AUTH_BROKER_URL)
    }

    /// A client for the drift-repair agent.
    pub(crate) fn drift_repair(settings: &Settings) -> anyhow::Result<Self> {
        let base = settings.service_urls.drift_repair.clone();
        Self::new(settings, base, variables::DRIFT_REPAIR_URL)
    }

    fn new(settings: &Settings, base: Url, variable: &'static str) -> anyhow::Result<Self> {
        let http = http_client::build().context("creating an HTTP client")?;
        Ok(Self {
            base,
            variable,
            key: settings.api_key.clone(),
            http,
        })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, None::<&()>).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Returns the status of the service and its dependencies, whether it is ready or not.
    pub(crate) async fn readiness(&self) -> anyhow::Result<Readiness> {
        let place = place(&self.base);
        let url = self.base.join("ready").context("building a URL")?;
        let asked = self.http.get(url).timeout(READY_TIMEOUT).send().await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(_) => anyhow::bail!(
                "nothing answers at {place}; `aam up` starts the stack, {} configures the address",
                self.variable
            ),
        };
        let read = answer.json().await;
        read.map_err(|_| anyhow::anyhow!("{place} returned an unexpected response"))
    }

    /// Sends a POST that prefers an operation in the response over waiting for completion.
    pub(crate) async fn post_early<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Early<T>> {
        let place = place(&self.base);
        let url = self.base.join(path).context("building a URL")?;
        let request = self.http.request(Method::POST, url).timeout(TIMEOUT);
        let request = request.header("prefer", "respond-async").json(body);
        let answer = self.sent(request).await?;
        let is_begun = answer.status() == reqwest::StatusCode::ACCEPTED;
        let bytes = answer.bytes().await.context("reading the response")?;
        let read = if is_begun {
            serde_json::from_slice(&bytes)
                .map(Box::new)
                .map(Early::InProgress)
        } else {
            serde_json::from_slice(&bytes).map(Early::Done)
        };
        read.with_context(|| format!("{place} returned an unexpected response"))
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let place = place(&self.base);
        let answer = self.send(method, path, body, None, TIMEOUT).await?;
        let bytes = answer.bytes().await.context("reading the response")?;
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes)
            .with_context(|| format!("{place} returned an unexpected response"))
    }

    /// Sends a GET whose response is streamed for as long as it takes.
    pub(crate) async fn stream(&self, path: &str, kind: &str) -> anyhow::Result<reqwest::Response> {
        self.send(Method::GET, path, None::<&()>, Some(kind), ENDLESS)
            .await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        kind: Option<&str>,
        timeout: Duration,
    ) -> anyhow::Result<reqwest::Response> {
        let url = self.base.join(path).context("building a URL")?;
        let kind = kind.unwrap_or("application/json");
        let mut request = self
            .http
            .request(method, url)
            .timeout(timeout)
            .header("accept", kind);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.sent(request).await
    }

    /// Returns the response to a request, or the service's problem as an error.
    async fn sent(
        &self,
        mut request: reqwest::RequestBuilder,
    ) -> anyhow::Result<reqwest::Response> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let place = place(&self.base);
        let answer = match request.send().await {
            Ok(answer) => answer,
            // The operating system's message would add nothing.
            Err(error) if error.is_connect() => anyhow::bail!(
                "nothing answers at {place}; `aam up` starts the stack, {} configures the address",
                self.variable
            ),
            Err(error) => return Err(error).with_context(|| format!("calling {place}")),
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.context("reading the response")?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(Refused(problem).into()),
            Err(_) => anyhow::bail!(
                "{place} answered {status} and is not an AAM service; {} configures the address",
                self.variable
            ),
        }
    }

    /// Finds a connection by id or name.
    pub(crate) async fn connection(&self, text: &str) -> anyhow::Result<ConnectionView> {
        if Uuid::parse_str(text).is_ok() {
            return self.get(&format!("/connections/{text}")).await;
        }
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("name", text)
            .finish();
        let found: Vec<ConnectionView> = self.get(&format!("/connections?{query}")).await?;
        found.into_iter().next().with_context(|| {
            format!("no connection is named `{text}`; `aam connections` lists them")
        })
    }
}

/// A base URL without its trailing slash, as people write it.
pub(crate) fn place(url: &Url) -> String {
    shown(url).trim_end_matches('/').to_owned()
}

/// A path that ends in `last`, with its special characters escaped.
pub(crate) fn path_to(collection: &str, last: &str) -> String {
    let mut path = format!("/{collection}/");
    for byte in last.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment_of_the_path() {
        assert_eq!(path_to("credentials", "shop-1_a"), "/credentials/shop-1_a");
        assert_eq!(path_to("credentials", "a/b?c"), "/credentials/a%2Fb%3Fc");
        assert_eq!(path_to("credentials", "a b"), "/credentials/a%20b");
    }
}
