//! Errors of calls to Airbyte.

use std::time::Duration;

use serde_json::Value;

use redaction::shown_url::ShownUrl;

/// A failed call to Airbyte.
#[derive(Debug, thiserror::Error)]
#[error("Airbyte: {call}: {kind}")]
pub struct Error {
    /// Description of the call.
    pub call: &'static str,
    /// What went wrong.
    #[source]
    pub kind: ErrorKind,
}

/// The ways in which a call can fail.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// The connection could not be opened; nothing was sent.
    #[error("cannot be reached at {url}")]
    Unreachable {
        /// The address that was tried.
        url: ShownUrl,
    },
    /// No response in time; the call may have taken effect.
    #[error("did not respond within {seconds} s")]
    TimedOut {
        /// The timeout.
        seconds: u64,
    },
    /// The connection broke; the call may have taken effect.
    #[error("the connection broke before the response was complete")]
    Broken,
    /// The client id or secret is wrong, or the token was rejected.
    #[error(
        "rejected the credentials ({message}); check AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET \
         (`abctl local credentials` prints them)"
    )]
    Unauthorized {
        /// Airbyte's message.
        message: String,
    },
    /// The credentials are valid but lack the permission.
    #[error("not allowed: {message}")]
    Forbidden {
        /// Airbyte's message.
        message: String,
    },
    /// The object does not exist in Airbyte.
    #[error("not found: {message}")]
    NotFound {
        /// Airbyte's message.
        message: String,
    },
    /// Not possible in the current state.
    #[error("{message}")]
    Conflict {
        /// The last segment of Airbyte's problem type, for example `try-again-later`.
        problem: String,
        /// Airbyte's message.
        message: String,
    },
    /// Airbyte rejected the request itself.
    #[error("rejected the request ({status}): {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The last segment of Airbyte's problem type.
        problem: String,
        /// Airbyte's message.
        message: String,
    },
    /// Too many calls.
    #[error("is rate-limiting AAM's calls")]
    RateLimited {
        /// The delay that Airbyte requested.
        retry_after: Option<Duration>,
    },
    /// Recent calls failed too often; nothing was sent.
    #[error("circuit breaker open; next attempt in {} s", retry_after.as_secs().max(1))]
    CircuitOpen {
        /// Time until the next attempt.
        retry_after: Duration,
    },
    /// Too many calls are in progress, or the request's time budget is spent; nothing was sent.
    #[error("too many concurrent calls")]
    Busy,
    /// Airbyte itself failed.
    #[error("failed ({status}): {message}")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// Airbyte's message.
        message: String,
        /// The delay that Airbyte, or a proxy in front of it, requested.
        retry_after: Option<Duration>,
    },
    /// The response did not come from Airbyte.
    #[error("{url} does not respond like Airbyte: {message}; check AIRBYTE_API_URL")]
    NotAirbyte {
        /// The URL that was called.
        url: ShownUrl,
        /// What was received instead.
        message: String,
    },
    /// A connector ran and failed; Airbyte reports it inside a 200.
    #[error("{message}")]
    Connector {
        /// The connector's message.
        message: String,
        /// Whether the connector reports that a retry may help.
        transient: bool,
    },
}

impl Error {
    /// Whether a later retry may help.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            ErrorKind::Unreachable { .. }
            | ErrorKind::TimedOut { .. }
            | ErrorKind::Broken
            | ErrorKind::CircuitOpen { .. }
            | ErrorKind::Busy
            | ErrorKind::RateLimited { .. } => true,
            ErrorKind::Failed { status, .. } => matches!(status, 502..=504),
            ErrorKind::Unauthorized { .. }
            | ErrorKind::Forbidden { .. }
            | ErrorKind::NotFound { .. }
            | ErrorKind::Conflict { .. }
            | ErrorKind::Rejected { .. }
            | ErrorKind::NotAirbyte { .. }
            | ErrorKind::Connector { .. } => false,
        }
    }

    /// The delay requested by Airbyte, or by our own breaker.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.kind {
            ErrorKind::RateLimited { retry_after } | ErrorKind::Failed { retry_after, .. } => {
                *retry_after
            }
            ErrorKind::CircuitOpen { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// Whether nothing responded, or a proxy responded in Airbyte's place. A 500 does not count:
    /// Airbyte returns it for single objects while others work.
    pub(super) fn is_outage(&self) -> bool {
        match &self.kind {
            ErrorKind::Unreachable { .. } | ErrorKind::TimedOut { .. } | ErrorKind::Broken => true,
            ErrorKind::Failed { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }

    /// The code for metrics: the HTTP status, or why there is none.
    pub(super) fn code(&self) -> String {
        let word = match &self.kind {
            ErrorKind::Rejected { status, .. } | ErrorKind::Failed { status, .. } => {
                return status.to_string();
            }
            ErrorKind::Unauthorized { .. } => "401",
            ErrorKind::Forbidden { .. } => "403",
            ErrorKind::NotFound { .. } => "404",
            ErrorKind::Conflict { .. } => "409",
            ErrorKind::RateLimited { .. } => "429",
            ErrorKind::Unreachable { .. } => "unreachable",
            ErrorKind::TimedOut { .. } => "timed_out",
            ErrorKind::Broken => "broken",
            ErrorKind::CircuitOpen { .. } => "circuit_open",
            ErrorKind::Busy => "busy",
            ErrorKind::NotAirbyte { .. } => "unreadable",
            ErrorKind::Connector { .. } => "connector",
        };
        word.to_owned()
    }

    /// Whether a connector ran, failed and reports that a retry may help.
    pub fn is_transient_failure(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Connector {
                transient: true,
                ..
            }
        )
    }

    /// Whether the call may have taken effect although it failed. A response that cannot be parsed,
    /// for example because it is truncated, may report success.
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::TimedOut { .. }
                | ErrorKind::Broken
                | ErrorKind::Failed { .. }
                | ErrorKind::NotAirbyte { .. }
        )
    }

    /// Whether the requested object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound { .. })
    }
}

/// Extracts the error message from any of the bodies that Airbyte and proxies in front of it
/// return.
pub(super) fn from_answer(
    call: &'static str,
    url: &str,
    status: u16,
    retry_after: Option<Duration>,
    body: &str,
) -> Error {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let problem = parsed
        .as_ref()
        .and_then(|value| value.get("type")?.as_str())
        .map(|kind| {
            kind.rsplit(['#', '/', ':'])
                .next()
                .unwrap_or(kind)
                .to_owned()
        })
        .unwrap_or_default();
    let message = parsed.as_ref().and_then(words).unwrap_or_else(|| {
        let text = body.trim();
        if text.is_empty() {
            "no further details".to_owned()
        } else {
            text.chars().take(300).collect()
        }
    });
    let message = redaction::clean(message);
    let kind = match status {
        401 => ErrorKind::Unauthorized { message },
        403 => ErrorKind::Forbidden { message },
        404 if parsed.is_none() => ErrorKind::NotAirbyte {
            url: url.into(),
            message,
        },
        404 => ErrorKind::NotFound { message },
        409 => ErrorKind::Conflict { problem, message },
        429 => ErrorKind::RateLimited { retry_after },
        400..=499 => ErrorKind::Rejected {
            status,
            problem,
            message,
        },
        _ => ErrorKind::Failed {
            status,
            message,
            retry_after,
        },
    };
    Error { call, kind }
}

fn words(body: &Value) -> Option<String> {
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let data = body.get("data");
    text(data.and_then(|data| data.get("message")))
        .or_else(|| {
            let data = data.filter(|data| data.as_object().is_some_and(|map| !map.is_empty()))?;
            let detail = text(body.get("detail")).or_else(|| text(body.get("title")))?;
            Some(format!("{detail} {data}"))
        })
        .or_else(|| text(body.get("detail")))
        .or_else(|| text(body.pointer("/_embedded/errors/0/message")))
        .or_else(|| text(body.get("message")))
        .or_else(|| text(body.get("title")))
        .or_else(|| text(body.get("errorId")).map(|id| format!("error {id} in Airbyte's log")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(status: u16, body: &str) -> String {
        from_answer("x", "http://h", status, None, body).to_string()
    }

    #[test]
    fn finds_the_message_in_every_kind_of_body() {
        let problem = r#"{"status":409,"type":"https://reference.airbyte.com/reference/errors#try-again-later","title":"try-again-later","detail":"d","data":{"message":"A sync is already running for: 7"}}"#;
        assert!(message_of(409, problem).contains("A sync is already running for: 7"));
        let framework = r#"{"message":"Bad Request","_embedded":{"errors":[{"message":"Invalid client id or token"}]}}"#;
        assert!(message_of(400, framework).contains("Invalid client id or token"));
        assert!(message_of(500, r#"{"errorId":"abc"}"#).contains("error abc"));
        assert!(message_of(502, "<html>Bad Gateway</html>").contains("Bad Gateway"));
    }

    #[test]
    fn the_problem_type_is_the_last_segment() {
        let error = from_answer("x", "u", 409, None, r#"{"type":"error:connection/locked"}"#);
        assert!(matches!(error.kind, ErrorKind::Conflict { problem, .. } if problem == "locked"));
    }
}
