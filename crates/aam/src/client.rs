//! A client for the services, as a person's: with the operator's key, and the services' problems as
//! errors.

use std::time::Duration;

use anyhow::Context as _;
use contracts::{ConnectionView, OperationView, Problem, Readiness};
use redaction::shown_url::shown;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::settings::{Settings, variables};
use url::Url;
use uuid::Uuid;

/// A discover and a wait for a job may be part of a call.
const TIMEOUT: Duration = Duration::from_secs(13 * 60);
/// What has no end of its own; whoever reads it notices when it falls silent.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A service asks what it depends on before it says whether it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(15);

/// A service answered with a problem.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail)]
pub(crate) struct Refused(pub(crate) Problem);

/// What a POST that need not be waited for was answered.
pub(crate) enum Early<T> {
    /// It goes on by itself.
    Begun(Box<OperationView>),
    /// It was done.
    Done(T),
}

/// A client for one service.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    /// The variable that says where the service is.
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
        let http = shared::http::client::build().context("making an HTTP client")?;
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

    /// What the service says about itself and what it depends on, whether it is ready or not.
    pub(crate) async fn readiness(&self) -> anyhow::Result<Readiness> {
        let place = place(&self.base);
        let url = self.base.join("ready").context("building a URL")?;
        let asked = self.http.get(url).timeout(READY_TIMEOUT).send().await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(_) => anyhow::bail!(
                "nothing answers at {place}; `aam up` starts the stack, {} says where it is",
                self.variable
            ),
        };
        let read = answer.json().await;
        read.map_err(|_| anyhow::anyhow!("{place} answers like something else"))
    }

    /// A POST that would rather be answered with an operation than be waited for.
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
        let bytes = answer.bytes().await.context("reading the answer")?;
        let read = if is_begun {
            serde_json::from_slice(&bytes)
                .map(Box::new)
                .map(Early::Begun)
        } else {
            serde_json::from_slice(&bytes).map(Early::Done)
        };
        read.with_context(|| format!("{place} answers like something else"))
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let place = place(&self.base);
        let answer = self.send(method, path, body, None, TIMEOUT).await?;
        let bytes = answer.bytes().await.context("reading the answer")?;
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes)
            .with_context(|| format!("{place} answers like something else"))
    }

    /// A GET whose answer is read as it comes, for as long as it takes.
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

    /// The answer to a request, or the service's problem with it.
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
            // What the operating system says about it would tell nothing more.
            Err(error) if error.is_connect() => anyhow::bail!(
                "nothing answers at {place}; `aam up` starts the stack, {} says where it is",
                self.variable
            ),
            Err(error) => return Err(error).with_context(|| format!("asking {place}")),
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.context("reading the answer")?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(Refused(problem).into()),
            Err(_) => anyhow::bail!(
                "{place} answered {status} and is no service of AAM's; {} says where it is",
                self.variable
            ),
        }
    }

    /// The connection a person means: by id or by name.
    pub(crate) async fn connection(&self, text: &str) -> anyhow::Result<ConnectionView> {
        if Uuid::parse_str(text).is_ok() {
            return self.get(&format!("/connections/{text}")).await;
        }
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("name", text)
            .finish();
        let found: Vec<ConnectionView> = self.get(&format!("/connections?{query}")).await?;
        found.into_iter().next().with_context(|| {
            format!("no connection is called `{text}`; `aam connections` lists them")
        })
    }
}

/// A base URL as people write it.
pub(crate) fn place(url: &Url) -> String {
    shown(url).trim_end_matches('/').to_owned()
}

/// A path that ends in `last`, whatever characters that has.
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
