//! The only place that turns failures into `application/problem+json` responses (RFC 9457).

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use context::error_chain;
use contracts::{ErrorCode, FieldError, Problem};
use serde_json::{Map, Value};

use context::request_id;

/// Media type of problem details.
pub const CONTENT_TYPE_PROBLEM: &str = "application/problem+json";
/// `Retry-After` if no better value is known.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);
const RETRY_AFTER_SECONDS_MAX: u64 = 3600;

/// A failure to be returned to the caller.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    detail: String,
    errors: Vec<FieldError>,
    members: Box<Map<String, Value>>,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// A failure with a detail text for the caller.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Box::default(),
            retry_after: None,
        }
    }

    /// A failure with its cause. The log gets the whole chain; the caller gets it only if the
    /// caller or a dependency is at fault.
    pub fn caused(code: ErrorCode, error: &dyn std::error::Error) -> Self {
        let chain = error_chain(error);
        if code == ErrorCode::Internal {
            tracing::error!(code = code.as_str(), error = %chain, "request failed");
            return Self::new(code, "see the log under this request id");
        }
        tracing::warn!(code = code.as_str(), error = %chain, "request failed");
        if code == ErrorCode::RegistryUnavailable {
            return Self::new(code, "the registry's database did not respond");
        }
        Self::new(code, chain)
    }

    /// A failure because of one invalid field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of_fields(
            ErrorCode::Invalid,
            vec![FieldError {
                field: field.into(),
                message: message.into(),
            }],
        )
    }

    /// A failure because of several invalid fields.
    pub fn of_fields(code: ErrorCode, errors: Vec<FieldError>) -> Self {
        Self {
            code,
            detail: FieldError::join(&errors),
            errors,
            members: Box::default(),
            retry_after: None,
        }
    }

    /// Adds the invalid fields.
    #[must_use]
    pub fn with_fields(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Sets how many seconds the caller should wait.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_retry_after(Some(Duration::from_secs(seconds)))
    }

    /// Sets how long the caller should wait, if that is known.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Passes on the failure of another AAM service under its own code.
    pub fn forwarded(problem: Problem) -> Self {
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

    /// The detail text.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The invalid fields.
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
            .expect("a problem consists of strings, numbers and JSON values, which all serialize");
        builder.body(body)
    }
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
        // The guard fills in the path, since it has the request.
        self.respond("", &request_id::current().unwrap_or_default())
    }
}

impl From<shared::registry::Error> for ApiError {
    fn from(error: shared::registry::Error) -> Self {
        use shared::registry::{Conflict, Error};
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

impl From<shared::airbyte::Error> for ApiError {
    fn from(error: shared::airbyte::Error) -> Self {
        use shared::airbyte::ErrorKind;
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
