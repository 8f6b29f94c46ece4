//! Calls to other services of AAM: authenticated, within a circuit breaker, repeated if safe.

mod skew;

use std::time::Duration;

use contracts::{ErrorCode, Problem};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;
use url::Url;

use self::skew::Skew;
use crate::ApiError;
use crate::service_token::ServiceTokens;
use context::deadline;
use context::request_id;
use context::trace::{CALLS, TRACEPARENT, traceparent};
use http_client::{CallClass, Dependency, ReadError, Rejected, Retry};
use redaction::shown_url::ShownUrl;
use shared::airbyte::CONNECTOR_TIMEOUT;

/// Why a call to another AAM service failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service is unreachable.
    #[error("{service} cannot be reached at {url}")]
    Unreachable {
        /// The service.
        service: &'static str,
        /// The address that was tried.
        url: ShownUrl,
    },
    /// It did not respond in time, or the connection broke.
    #[error("{service} {}", if *broken { "closed the connection before responding".to_owned() } else { format!("did not respond within {seconds} s") })]
    NoAnswer {
        /// The service.
        service: &'static str,
        /// The timeout.
        seconds: u64,
        /// Whether the connection broke first.
        broken: bool,
    },
    /// Recent calls failed too often, or too many calls are in progress; nothing was sent.
    #[error(
        "{service}: call rejected; its circuit breaker is open or too many calls are in progress"
    )]
    Refused {
        /// The service.
        service: &'static str,
        /// Time until the next attempt.
        retry_after: Option<Duration>,
    },
    /// It responded with a problem.
    #[error("{service}: {}", problem.detail)]
    Problem {
        /// The service.
        service: &'static str,
        /// Its problem.
        problem: Box<Problem>,
    },
    /// Its response could not be parsed.
    #[error("{service} answered {status} with an invalid body")]
    Garbage {
        /// The service.
        service: &'static str,
        /// The HTTP status.
        status: u16,
    },
}

impl Error {
    /// Whether a later retry may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Refused { .. }
            | Self::Garbage { .. } => true,
            Self::Problem { problem, .. } => matches!(problem.status, 429 | 502..=504),
        }
    }

    /// The code of the problem that it returned.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Problem { problem, .. } => Some(problem.code),
            _ => None,
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Problem { problem, .. } if problem.code != ErrorCode::Unauthenticated => {
                Self::forwarded(*problem)
            }
            error => {
                let wait = match &error {
                    Error::Refused { retry_after, .. } => *retry_after,
                    _ => None,
                };
                Self::caused(ErrorCode::ServiceUnavailable, &error).with_retry_after(wait)
            }
        }
    }
}

/// A client for one service.
#[derive(Debug, Clone)]
pub struct ServiceClient {
    service: &'static str,
    base: Url,
    tokens: ServiceTokens,
    http: reqwest::Client,
    dependency: Dependency,
    skew: Skew,
}

impl ServiceClient {
    /// A client for the service at `base`.
    pub fn new(
        service: &'static str,
        base: Url,
        tokens: ServiceTokens,
        http: reqwest::Client,
    ) -> Self {
        Self {
            service,
            base,
            tokens,
            http,
            dependency: Dependency::new(service),
            skew: Skew::default(),
        }
    }

    /// The state of the circuit breaker.
    pub fn circuit(&self) -> contracts::Circuit {
        self.dependency.circuit()
    }

    /// Makes a call and parses the response.
    ///
    /// # Errors
    /// Returns an error if the service does not respond, or responds with a failure.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<T, Error> {
        let (status, bytes) = self.answer(method, path, body, timeout).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.garbage(status))
    }

    /// Makes a call whose response has no body.
    ///
    /// # Errors
    /// As [`ServiceClient::call`].
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<(), Error> {
        let (status, _) = self.answer(method, path, body, timeout).await?;
        // Any other success status means that it was not done.
        if status == 204 {
            Ok(())
        } else {
            Err(self.garbage(status))
        }
    }

    /// Calls the service; retries if nothing was sent, or if the call changes nothing.
    async fn answer(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), Error> {
        let retry = |error: &Error| match error {
            Error::Unreachable { .. } => Retry::NotSent(None),
            Error::NoAnswer { broken: true, .. } if method != Method::POST => Retry::After(None),
            _ => Retry::Never,
        };
        http_client::repeat(|| self.answer_once(&method, path, body, timeout), retry).await
    }

    /// Makes one attempt, within the breaker and the bulkhead.
    async fn answer_once(
        &self,
        method: &Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), Error> {
        let service = self.service;
        let class = if timeout >= CONNECTOR_TIMEOUT {
            CallClass::Connector
        } else {
            CallClass::Control
        };
        let pass = self.dependency.enter(class).await.map_err(|refusal| {
            crate::metrics::service_call(service, "refused");
            Error::Refused {
                service,
                retry_after: match refusal {
                    Rejected::CircuitOpen(wait) => Some(wait),
                    Rejected::Saturated | Rejected::DeadlineExceeded => None,
                },
            }
        })?;
        let timeout = deadline::remaining().map_or(timeout, |left| left.min(timeout));
        let span = tracing::debug_span!(target: CALLS, "call", otel.name = service, otel.kind = "client", peer.service = service);
        let exchange = self.exchange(method, path, body, timeout);
        let outcome = exchange.instrument(span).await;
        let code = match &outcome {
            Ok((status, _)) | Err(Error::Garbage { status, .. }) => status.to_string(),
            Err(Error::Problem { problem, .. }) => problem.status.to_string(),
            Err(Error::Unreachable { .. }) => "unreachable".to_owned(),
            Err(Error::NoAnswer { broken: true, .. }) => "broken".to_owned(),
            Err(Error::NoAnswer { broken: false, .. }) => "timed_out".to_owned(),
            Err(Error::Refused { .. }) => "refused".to_owned(),
        };
        crate::metrics::service_call(service, &code);
        match &outcome {
            // A slow heal does not indicate the service's health.
            Err(Error::NoAnswer { broken: false, .. }) if class == CallClass::Connector => {
                drop(pass)
            }
            Err(Error::Unreachable { .. } | Error::NoAnswer { .. }) => pass.failed(),
            Err(Error::Garbage {
                status: 502..=504, ..
            }) => pass.failed(),
            _ => pass.answered(),
        }
        outcome
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), Error> {
        let mut answer = self.send_signed(method, path, body, timeout).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let date = answer.headers().get("date");
            let date = date.and_then(|date| date.to_str().ok());
            // A rejected call had no effect, so it may be sent again.
            if self.skew.learn(self.service, date) {
                answer = self.send_signed(method, path, body, timeout).await?;
            }
        }
        let status = answer.status();
        let bytes = http_client::read(answer)
            .await
            .map_err(|error| match error {
                ReadError::Transport(error) => self.no_answer(timeout, &error),
                ReadError::TooLarge => self.garbage(status.as_u16()),
            })?;
        if status.is_success() {
            return Ok((status.as_u16(), bytes));
        }
        let problem = serde_json::from_slice(&bytes).map_err(|_| self.garbage(status.as_u16()))?;
        Err(Error::Problem {
            service: self.service,
            problem: Box::new(problem),
        })
    }

    async fn send_signed(
        &self,
        method: &Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<reqwest::Response, Error> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let unreachable = || Error::Unreachable {
            service: self.service,
            url: self.base.as_str().into(),
        };
        let token = self.tokens.issue(self.service, self.skew.seconds());
        let token = token.map_err(|_| unreachable())?;
        let mut request = self
            .http
            .request(method.clone(), url)
            .timeout(timeout)
            .bearer_auth(token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(id) = request_id::current() {
            request = request.header(request_id::HEADER, id);
        }
        if let Some(trace) = traceparent() {
            request = request.header(TRACEPARENT, trace);
        }
        request.send().await.map_err(|error| {
            if error.is_connect() {
                unreachable()
            } else {
                self.no_answer(timeout, &error)
            }
        })
    }

    fn no_answer(&self, timeout: Duration, error: &reqwest::Error) -> Error {
        Error::NoAnswer {
            service: self.service,
            seconds: timeout.as_secs(),
            broken: !error.is_timeout(),
        }
    }

    fn garbage(&self, status: u16) -> Error {
        Error::Garbage {
            service: self.service,
            status,
        }
    }

    /// Checks whether the service responds and authenticates us correctly.
    pub async fn health(&self) -> Result<(), Error> {
        let timeout = Duration::from_secs(3);
        let response = self
            .exchange(&Method::GET, &["whoami"], None::<&()>, timeout)
            .await;
        self.dependency.probed(response.is_ok());
        response.map(drop)
    }
}
