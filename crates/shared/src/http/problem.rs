//! Every failure leaves as `application/problem+json` (RFC 9457), from here and nowhere else.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use contracts::{ErrorCode, FieldError, Problem};
use serde_json::{Map, Value};

use super::request_id;

/// Media type of problem details.
pub const CONTENT_TYPE_PROBLEM: &str = "application/problem+json";
/// What a caller is told to wait where nothing better is known.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);
const RETRY_AFTER_SECONDS_MAX: u64 = 3600;

/// A failure on its way to the caller.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    detail: String,
    errors: Vec<FieldError>,
    members: Box<Map<String, Value>>,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// A failure with what happened this time, in words for the caller.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Box::default(),
            retry_after: None,
        }
    }

    /// A failure whose cause is told whole to the log, and to the caller only where the caller or
    /// a dependency is at fault.
    pub fn caused(code: ErrorCode, error: &dyn std::error::Error) -> Self {
        let chain = chain(error);
        if code == ErrorCode::Internal {
            tracing::error!(code = code.as_str(), error = %chain, "request failed");
            return Self::new(code, "the log tells more under this request id");
        }
        tracing::warn!(code = code.as_str(), error = %chain, "request failed");
        if code == ErrorCode::RegistryUnavailable {
            return Self::new(code, "the registry's database did not answer");
        }
        Self::new(code, chain)
    }

    /// One field is not usable.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of_fields(
            ErrorCode::Invalid,
            vec![FieldError {
                field: field.into(),
                message: message.into(),
            }],
        )
    }

    /// Several fields are not usable.
    pub fn of_fields(code: ErrorCode, errors: Vec<FieldError>) -> Self {
        Self {
            code,
            detail: crate::flow::in_words(&errors),
            errors,
            members: Box::default(),
            retry_after: None,
        }
    }

    /// The same with the offending fields.
    #[must_use]
    pub fn with_fields(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The same with another member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// The same, with what the caller is told to wait, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_retry_after(Some(Duration::from_secs(seconds)))
    }

    /// The same with how long the caller should wait, where that is known.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The failure of another service of ours, told on under its own code.
    pub fn passed_on(problem: Problem) -> Self {
        Self {
            code: problem.code,
            detail: problem.detail,
            errors: problem.errors,
            members: Box::new(problem.members),
            retry_after: None,
        }
    }

    /// Its code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What happened.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The offending fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    pub(super) fn respond(&self, path: &str, request_id: &str) -> HttpResponse {
        let status = StatusCode::from_u16(self.code.status())
            .expect("the table of codes holds only valid statuses");
        let problem = Problem {
            kind: format!("urn:aam:error:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            detail: self.detail.clone(),
            instance: path.to_owned(),
            code: self.code,
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            members: *self.members.clone(),
        };
        let mut builder = HttpResponseBuilder::new(status);
        builder.insert_header((CONTENT_TYPE, CONTENT_TYPE_PROBLEM));
        let later = matches!(self.code.status(), 429 | 503).then_some(RETRY_AFTER_DEFAULT);
        if let Some(wait) = self.retry_after.or(later) {
            let seconds = wait.as_secs().clamp(1, RETRY_AFTER_SECONDS_MAX);
            builder.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        let body = serde_json::to_string(&problem)
            .expect("a problem is strings, numbers and JSON values, which all serialize");
        builder.body(body)
    }
}

/// An error with everything that caused it, outermost first.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their source in their own words.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status())
            .expect("the table of codes holds only valid statuses")
    }

    fn error_response(&self) -> HttpResponse {
        // The guard fills in the path; it knows the request.
        self.respond("", &request_id::current().unwrap_or_default())
    }
}

impl From<crate::registry::Error> for ApiError {
    fn from(error: crate::registry::Error) -> Self {
        use crate::registry::{Conflict, Error};
        let code = match &error {
            _ if error.is_unavailable() => ErrorCode::RegistryUnavailable,
            Error::Conflict(Conflict::Name) => ErrorCode::ConnectionNameTaken,
            Error::Conflict(Conflict::OperationInProgress | Conflict::LeaseLost) => {
                ErrorCode::ConnectionBusy
            }
            Error::Conflict(Conflict::ActorInUse | Conflict::ActorDeleting) => ErrorCode::InUse,
            Error::Conflict(Conflict::KeyName) => ErrorCode::KeyNameTaken,
            Error::Conflict(Conflict::Version) => ErrorCode::VersionConflict,
            Error::Conflict(Conflict::Revision) => ErrorCode::PreconditionFailed,
            Error::Database(_)
            | Error::Unreachable { .. }
            | Error::File { .. }
            | Error::Url(_)
            | Error::Document(_) => ErrorCode::Internal,
        };
        Self::caused(code, &error)
    }
}

impl From<crate::airbyte::Error> for ApiError {
    fn from(error: crate::airbyte::Error) -> Self {
        use crate::airbyte::ErrorKind;
        let code = match &error.kind {
            ErrorKind::Unreachable { .. }
            | ErrorKind::RateLimited { .. }
            | ErrorKind::CircuitOpen { .. }
            | ErrorKind::Busy => ErrorCode::AirbyteUnavailable,
            ErrorKind::TimedOut { .. } => ErrorCode::AirbyteTimeout,
            ErrorKind::Unauthorized { .. } => ErrorCode::AirbyteUnauthorized,
            ErrorKind::Conflict { problem, .. } if problem == "locked" => {
                ErrorCode::ConnectionLocked
            }
            ErrorKind::Broken
            | ErrorKind::Forbidden { .. }
            | ErrorKind::NotFound { .. }
            | ErrorKind::Conflict { .. }
            | ErrorKind::Rejected { .. }
            | ErrorKind::Failed { .. }
            | ErrorKind::NotAirbyte { .. }
            | ErrorKind::Connector { .. } => ErrorCode::AirbyteFailed,
        };
        Self::caused(code, &error).with_retry_after(error.retry_after())
    }
}

impl From<crate::flow::Error> for ApiError {
    fn from(error: crate::flow::Error) -> Self {
        use crate::flow::Error;
        match error {
            Error::Registry(error) => error.into(),
            Error::Airbyte(error) => error.into(),
            Error::Service(error) => error.into(),
            Error::Refused {
                code,
                detail,
                fields,
                members,
            } => members.into_iter().fold(
                Self::new(code, detail).with_fields(fields),
                |problem, (name, value)| problem.with(name, value),
            ),
            error @ Error::Catalog(_) => Self::caused(ErrorCode::AirbyteFailed, &error),
        }
    }
}
