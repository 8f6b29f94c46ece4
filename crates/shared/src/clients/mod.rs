//! Clients for our own services. Each is behind a feature, so that a `Cargo.toml` states whom a
//! service calls.

#[cfg(feature = "client-auth-broker")]
pub mod auth_broker;
#[cfg(feature = "client-drift-repair")]
pub mod drift_repair;

use std::time::Duration;

use contracts::{ErrorCode, Problem};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::http::{ApiError, request_id};
use crate::service_token::ServiceTokens;

/// Why a call to another service of ours failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached.
    #[error("{service} cannot be reached at {url}")]
    Unreachable {
        /// The service.
        service: &'static str,
        /// Where it was tried.
        url: String,
    },
    /// It did not answer in time, or the connection broke.
    #[error("{service} did not answer within {seconds} s")]
    NoAnswer {
        /// The service.
        service: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// It answered with a problem.
    #[error("{service}: {}", problem.detail)]
    Problem {
        /// The service.
        service: &'static str,
        /// Its problem.
        problem: Box<Problem>,
    },
    /// It answered something that does not read.
    #[error("{service} answered {status} with something that does not read")]
    Garbage {
        /// The service.
        service: &'static str,
        /// The HTTP status.
        status: u16,
    },
}

impl Error {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Garbage { .. } => true,
            Self::Problem { problem, .. } => matches!(problem.status, 429 | 502..=504),
        }
    }

    /// The code of the problem it answered with.
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
                Self::passed_on(*problem)
            }
            error => Self::caused(ErrorCode::ServiceUnavailable, &error),
        }
    }
}

/// A client for one service.
#[derive(Debug, Clone)]
pub(crate) struct ServiceClient {
    service: &'static str,
    base: Url,
    tokens: ServiceTokens,
    http: reqwest::Client,
}

impl ServiceClient {
    pub(crate) fn new(
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
        }
    }

    /// A call whose answer is read.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<T, Error> {
        let (status, bytes) = self.answer(method, path, body, timeout).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.garbage(status))
    }

    /// A call that is answered without a body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<(), Error> {
        self.answer(method, path, body, timeout).await.map(|_| ())
    }

    async fn answer(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), Error> {
        let service = self.service;
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let unreachable = || Error::Unreachable {
            service,
            url: self.base.to_string(),
        };
        let token = self.tokens.issue(service).map_err(|_| unreachable())?;
        let mut request = self
            .http
            .request(method, url)
            .timeout(timeout)
            .bearer_auth(token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(id) = request_id::current() {
            request = request.header(request_id::HEADER, id);
        }
        let no_answer = || Error::NoAnswer {
            service,
            seconds: timeout.as_secs(),
        };
        let answer = request.send().await.map_err(|error| {
            if error.is_connect() {
                unreachable()
            } else {
                no_answer()
            }
        })?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|_| no_answer())?;
        if status.is_success() {
            return Ok((status.as_u16(), bytes.to_vec()));
        }
        let problem = serde_json::from_slice(&bytes).map_err(|_| self.garbage(status.as_u16()))?;
        Err(Error::Problem {
            service,
            problem: Box::new(problem),
        })
    }

    fn garbage(&self, status: u16) -> Error {
        Error::Garbage {
            service: self.service,
            status,
        }
    }

    /// Whether the service answers at all.
    pub(crate) async fn health(&self) -> Result<(), Error> {
        let timeout = Duration::from_secs(3);
        self.call::<contracts::Health>(Method::GET, &["health"], None::<&()>, timeout)
            .await?;
        Ok(())
    }
}
