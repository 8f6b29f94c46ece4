//! Request headers with preconditions and preferences: the expected revision (`If-Match`, RFC
//! 9110), and whether the response may come before completion (`Prefer: respond-async`, RFC 7240).

use actix_web::HttpRequest;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use contracts::ErrorCode;

use crate::ApiError;

/// The `ETag` header of a revision.
pub fn etag(revision: i64) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("\"{revision}\""))
        .expect("digits and quotes are a valid header value");
    (ETAG, value)
}

/// The revision that a change requires; `None` if any will do.
///
/// # Errors
/// Returns `precondition_failed` if the header is not an ETag of this service.
pub fn if_match(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let Some(value) = request.headers().get(IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let revision = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|digits| digits.parse().ok());
    revision.map(Some).ok_or_else(|| {
        ApiError::new(
            ErrorCode::PreconditionFailed,
            "If-Match requires one ETag as returned by GET, or *",
        )
    })
}

/// Whether the caller prefers an operation to poll over waiting.
pub fn prefers_async(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| {
            let token = preference.split(';').next().unwrap_or_default();
            token.trim().eq_ignore_ascii_case("respond-async")
        })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn parses_an_etag_as_it_was_sent() {
        let (name, value) = etag(7);
        let sent = |value: HeaderValue| {
            let request = TestRequest::get().insert_header((IF_MATCH, value));
            if_match(&request.to_http_request()).map_err(|error| error.code())
        };
        assert_eq!(name, ETAG);
        assert_eq!(sent(value), Ok(Some(7)));
        assert_eq!(sent(HeaderValue::from_static("*")), Ok(None));
        for wrong in ["7", "W/\"7\"", "\"x\"", "\"7\", \"8\""] {
            let answer = sent(HeaderValue::from_static(wrong));
            assert_eq!(answer, Err(ErrorCode::PreconditionFailed), "{wrong}");
        }
    }

    #[test]
    fn finds_the_preference_among_others() {
        let prefers = |value: &str| {
            let request = TestRequest::get().insert_header(("prefer", value));
            prefers_async(&request.to_http_request())
        };
        assert!(prefers("respond-async"));
        assert!(prefers("wait=10, Respond-Async"));
        assert!(prefers("respond-async; foo=bar"));
        assert!(!prefers("return=minimal"));
    }
}
