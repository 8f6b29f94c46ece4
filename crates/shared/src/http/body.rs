//! Bodies as bytes: bounded by their route, and read once.

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut};
use contracts::ErrorCode;
use futures::StreamExt as _;

use super::ApiError;

/// Bytes a body may have.
pub const JSON_LIMIT: usize = 1024 * 1024;
/// Bytes a body that carries a catalog may have.
pub const JSON_LIMIT_CATALOG: usize = 32 * 1024 * 1024;
/// Routes whose bodies carry catalogs.
const CATALOGS: &[&str] = &["/repair/apply_new_catalog", "/repair/plan"];

/// Bytes the body of a request may have, where its handler does not say.
pub(super) fn limit(request: &HttpRequest) -> usize {
    let route = request.match_pattern();
    if route.is_some_and(|route| CATALOGS.contains(&route.as_str())) {
        JSON_LIMIT_CATALOG
    } else {
        JSON_LIMIT
    }
}

/// The whole body, refused as soon as it is known to be too large.
pub(super) fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> impl Future<Output = Result<Bytes, ApiError>> + 'static {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    async move {
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(limit));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| {
                ApiError::new(ErrorCode::Malformed, format!("the body broke off: {error}"))
            })?;
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ErrorCode::TooLarge,
        format!("the body may have at most {} MB", limit / 1024 / 1024),
    )
}
