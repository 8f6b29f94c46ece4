//! A call to Airbyte: token, timeout, retries where repeating is safe, and the response body.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use super::error::{self, Error, ErrorKind};
use super::metrics::record_call;
use super::{Airbyte, CONNECTOR_TIMEOUT, Inner};
use context::deadline;
use context::request_id;
use context::trace::{CALLS, TRACEPARENT, traceparent};
use http_client::DEFAULT_TIMEOUT;
use http_client::{CallClass, ReadError, Rejected, Retry};
use redaction::shown_url::ShownUrl;

/// Whether a call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It reads, or repeating it has no further effect.
    Safe,
    /// Only if Airbyte certainly did not receive it.
    Unsafe,
}

/// A call to Airbyte.
pub(super) struct Call<'a, B: Serialize + Sync + ?Sized> {
    /// Description for error messages.
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: &'a [(&'a str, String)],
    pub(super) body: Option<&'a B>,
    pub(super) timeout: Duration,
    pub(super) repeat: Repeat,
}

/// Timeout for checking that Airbyte accepts our credentials.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

impl Airbyte {
    /// Sends a GET to the public API.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &str,
        query: &[(&str, String)],
        timeout: Duration,
    ) -> Result<T, Error> {
        let url = format!("{}{path}", self.inner.urls.public);
        let call: Call<'_, ()> = Call {
            name,
            method: Method::GET,
            url,
            query,
            body: None,
            timeout,
            repeat: Repeat::Safe,
        };
        decode(name, &call.url, &self.inner.send(&call).await?)
    }

    /// Sends a write to the public API.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync + ?Sized),
        timeout: Duration,
    ) -> Result<T, Error> {
        let url = format!("{}{path}", self.inner.urls.public);
        let call = Call {
            name,
            method,
            url,
            query: &[],
            body: Some(body),
            timeout,
            repeat: Repeat::Unsafe,
        };
        decode(name, &call.url, &self.inner.send(&call).await?)
    }

    /// Sends a DELETE to the public API. Succeeds if the object is already gone.
    pub(super) async fn delete(&self, name: &'static str, path: &str) -> Result<(), Error> {
        let call: Call<'_, ()> = Call {
            name,
            method: Method::DELETE,
            url: format!("{}{path}", self.inner.urls.public),
            query: &[],
            body: None,
            timeout: DEFAULT_TIMEOUT * 2,
            repeat: Repeat::Safe,
        };
        match self.inner.send(&call).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sends a call to the Config API; every call is a POST, even those that only read.
    pub(super) async fn config<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &str,
        body: &(impl Serialize + Sync + ?Sized),
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<T, Error> {
        let url = format!("{}{path}", self.inner.urls.config);
        let call = Call {
            name,
            method: Method::POST,
            url,
            query: &[],
            body: Some(body),
            timeout,
            repeat,
        };
        decode(name, &call.url, &self.inner.send(&call).await?)
    }

    /// Returns when Airbyte responds and accepts our credentials, or needs none if none are
    /// configured.
    ///
    /// # Errors
    /// Returns an error if Airbyte is unreachable, something else responds, or the credentials are
    /// rejected.
    pub async fn ready(&self) -> Result<(), Error> {
        self.health().await?;
        let one = [("limit", "1".to_owned())];
        let call = "asking for the workspaces";
        let _: serde_json::Value = self.get(call, "/workspaces", &one, READY_TIMEOUT).await?;
        Ok(())
    }

    /// Returns when Airbyte responds. Needs no token.
    ///
    /// # Errors
    /// Returns an error if Airbyte is unreachable or something else responds.
    pub async fn health(&self) -> Result<(), Error> {
        const NAME: &str = "asking for its health";
        let url = format!("{}/health", self.inner.urls.public);
        let timeout = Duration::from_secs(5);
        let response = async {
            let sent = self.inner.http.get(&url).timeout(timeout).send().await;
            let answer = sent.map_err(|error| from_transport(NAME, &url, timeout, &error))?;
            let status = answer.status();
            let html = is_html(&answer);
            let body = answer.text().await.unwrap_or_default();
            if html {
                let message = "a web page".to_owned();
                return Err(Error {
                    call: NAME,
                    kind: ErrorKind::NotAirbyte {
                        url: url.as_str().into(),
                        message,
                    },
                });
            }
            if status.is_success() {
                return Ok(());
            }
            let status = status.as_u16();
            Err(error::from_answer(NAME, &url, status, None, &body))
        };
        let answered = response.await;
        self.inner.dependency.probed(answered.is_ok());
        answered
    }

    /// The state of Airbyte's circuit breaker.
    pub fn circuit(&self) -> contracts::Circuit {
        self.inner.dependency.circuit()
    }
}

impl Inner {
    pub(super) async fn send<B: Serialize + Sync + ?Sized>(
        &self,
        call: &Call<'_, B>,
    ) -> Result<Vec<u8>, Error> {
        http_client::repeat(
            || self.send_with_fresh_token(call),
            |error| retry(call, error),
        )
        .await
    }

    async fn send_with_fresh_token<B: Serialize + Sync + ?Sized>(
        &self,
        call: &Call<'_, B>,
    ) -> Result<Vec<u8>, Error> {
        let Some(tokens) = &self.tokens else {
            return self.send_once(call, None).await;
        };
        let share_error = |error: std::sync::Arc<Error>| Error {
            call: call.name,
            kind: repeat_kind(&error.kind),
        };
        let token = tokens.get(None).await.map_err(share_error)?;
        match self.send_once(call, Some(&token)).await {
            Err(Error {
                kind: ErrorKind::Unauthorized { .. },
                ..
            }) => {
                let token = tokens.get(Some(&token)).await.map_err(share_error)?;
                self.send_once(call, Some(&token)).await
            }
            answer => answer,
        }
    }

    /// Makes one attempt, within the breaker and the bulkhead.
    async fn send_once<B: Serialize + Sync + ?Sized>(
        &self,
        call: &Call<'_, B>,
        token: Option<&SecretString>,
    ) -> Result<Vec<u8>, Error> {
        let is_slow = call.timeout >= CONNECTOR_TIMEOUT;
        let class = if is_slow {
            CallClass::Connector
        } else {
            CallClass::Control
        };
        let entered = self.dependency.enter(class).await;
        let pass = entered.map_err(|refusal| refused(call.name, refusal))?;
        let started = Instant::now();
        let span = tracing::debug_span!(target: CALLS, "call", otel.name = call.name, otel.kind = "client", peer.service = "airbyte");
        let outcome = self.exchange(call, token).instrument(span).await;
        let code = outcome
            .as_ref()
            .map_or_else(Error::code, |_| "200".to_owned());
        record_call(call.name, &code, started.elapsed());
        match &outcome {
            // A slow connector does not indicate Airbyte's health.
            Err(error) if matches!(error.kind, ErrorKind::TimedOut { .. }) && is_slow => drop(pass),
            Err(error) if error.is_outage() => pass.failed(),
            _ => pass.answered(),
        }
        outcome
    }

    async fn exchange<B: Serialize + Sync + ?Sized>(
        &self,
        call: &Call<'_, B>,
        token: Option<&SecretString>,
    ) -> Result<Vec<u8>, Error> {
        let timeout = self.timeout(call.timeout);
        let mut request = self
            .http
            .request(call.method.clone(), &call.url)
            .timeout(timeout)
            .header("accept", "application/json");
        if !call.query.is_empty() {
            request = request.query(call.query);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(id) = request_id::current() {
            request = request.header(request_id::HEADER, id);
        }
        if let Some(trace) = traceparent() {
            request = request.header(TRACEPARENT, trace);
        }
        let failed = |error: &reqwest::Error| from_transport(call.name, &call.url, timeout, error);
        let answer = request.send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let html = is_html(&answer);
        let retry_after = http_client::retry_after(&answer);
        let not_airbyte = |message: &str| Error {
            call: call.name,
            kind: ErrorKind::NotAirbyte {
                url: call.url.as_str().into(),
                message: message.to_owned(),
            },
        };
        let body = http_client::read(answer)
            .await
            .map_err(|error| match error {
                ReadError::Transport(error) => failed(&error),
                ReadError::TooLarge => not_airbyte("a response of more than 256 MiB"),
            })?;
        tracing::debug!(call = call.name, status = status.as_u16(), "called Airbyte");
        if status.is_success() && html {
            return Err(not_airbyte("a web page"));
        }
        if status.is_success() || status == StatusCode::NO_CONTENT {
            return Ok(body);
        }
        Err(error::from_answer(
            call.name,
            &call.url,
            status.as_u16(),
            retry_after,
            &String::from_utf8_lossy(&body),
        ))
    }

    /// Timeout of a call: that of its kind, but no longer than the rest of its request's budget.
    fn timeout(&self, kind: Duration) -> Duration {
        let scaled = kind.mul_f64(self.quick_timeout.as_secs_f64() / DEFAULT_TIMEOUT.as_secs_f64());
        deadline::remaining().map_or(scaled, |left| left.min(scaled))
    }
}

/// Wait for a circuit that closes this soon.
const SOON: Duration = Duration::from_secs(2);

fn retry<B: Serialize + Sync + ?Sized>(call: &Call<'_, B>, error: &Error) -> Retry {
    match (&error.kind, call.repeat) {
        (ErrorKind::Unreachable { .. }, _) => Retry::NotSent(None),
        (ErrorKind::CircuitOpen { retry_after }, _) if *retry_after <= SOON => {
            Retry::NotSent(Some(*retry_after))
        }
        // Rejected locally: report it to the caller at once. A second wait of minutes would not
        // help.
        (ErrorKind::CircuitOpen { .. } | ErrorKind::Busy | ErrorKind::TimedOut { .. }, _) => {
            Retry::Never
        }
        (ErrorKind::RateLimited { .. }, _) => Retry::After(error.retry_after()),
        (_, Repeat::Safe) if error.is_transient() => Retry::After(error.retry_after()),
        _ => Retry::Never,
    }
}

pub(super) fn refused(call: &'static str, refusal: Rejected) -> Error {
    let kind = match refusal {
        Rejected::CircuitOpen(retry_after) => ErrorKind::CircuitOpen { retry_after },
        Rejected::Saturated | Rejected::DeadlineExceeded => ErrorKind::Busy,
    };
    let error = Error { call, kind };
    record_call(call, &error.code(), Duration::ZERO);
    error
}

fn is_html(answer: &reqwest::Response) -> bool {
    answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/html"))
}

pub(super) fn decode<T: DeserializeOwned>(
    name: &'static str,
    url: &str,
    body: &[u8],
) -> Result<T, Error> {
    let body = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).map_err(|error| Error {
        call: name,
        kind: ErrorKind::NotAirbyte {
            url: url.into(),
            message: redaction::clean(error.to_string()),
        },
    })
}

/// Returns a copy of a token error for each of its waiters.
fn repeat_kind(kind: &ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::Unreachable { url } => ErrorKind::Unreachable { url: url.clone() },
        ErrorKind::TimedOut { .. } | ErrorKind::Broken => {
            // The call for the token failed, so this call was never sent.
            ErrorKind::Unreachable {
                url: "its token endpoint".into(),
            }
        }
        ErrorKind::Unauthorized { message } => ErrorKind::Unauthorized {
            message: message.clone(),
        },
        ErrorKind::Forbidden { message } => ErrorKind::Forbidden {
            message: message.clone(),
        },
        ErrorKind::RateLimited { retry_after } => ErrorKind::RateLimited {
            retry_after: *retry_after,
        },
        ErrorKind::CircuitOpen { retry_after } => ErrorKind::CircuitOpen {
            retry_after: *retry_after,
        },
        ErrorKind::Busy => ErrorKind::Busy,
        ErrorKind::NotAirbyte { url, message } => ErrorKind::NotAirbyte {
            url: url.clone(),
            message: message.clone(),
        },
        other => ErrorKind::NotAirbyte {
            url: "its token endpoint".into(),
            message: other.to_string(),
        },
    }
}

pub(super) fn from_transport(
    call: &'static str,
    url: &str,
    timeout: Duration,
    error: &reqwest::Error,
) -> Error {
    let kind = if error.is_connect() {
        let parsed = url::Url::parse(url).ok();
        let host = parsed.as_ref().and_then(|url| url.host_str());
        let hint = host.map_or("", local::container::hint);
        ErrorKind::Unreachable {
            url: ShownUrl::noted(url, hint),
        }
    } else if error.is_timeout() {
        ErrorKind::TimedOut {
            seconds: timeout.as_secs(),
        }
    } else {
        ErrorKind::Broken
    };
    Error { call, kind }
}
