//! What a request says about itself besides its body: which revision it was made for (`If-Match`,
//! RFC 9110), and whether it may be answered before it is done (`Prefer: respond-async`, RFC 7240).

use actix_web::HttpRequest;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use contracts::ErrorCode;

use super::ApiError;

/// The header that names a revision.
pub fn etag(revision: i64) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("\"{revision}\""))
        .expect("digits and quotes are a header's value");
    (ETAG, value)
}

/// The revision a change was made for; `None` when any will do.
///
/// # Errors
/// `precondition_failed` when the header names none of ours.
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
            "If-Match takes one ETag as GET answered it, or *",
        )
    })
}

/// Whether the caller would rather have an operation to look at than wait.
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
    fn a_revision_is_read_as_it_is_told() {
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
    fn a_preference_is_found_among_others() {
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
