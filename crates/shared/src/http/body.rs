//! Bodies as bytes: bounded by their route, counted among all that are under way, and not waited
//! for when they trickle.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{HttpMessage as _, HttpRequest};
use contracts::ErrorCode;
use futures::StreamExt as _;
use tokio::time::Instant;

use super::ApiError;
use super::gate::Gate;
use super::limits::Place;

/// Bytes a body may have.
pub const JSON_LIMIT: usize = 1024 * 1024;
/// Bytes a body that carries a catalog may have.
pub const JSON_LIMIT_CATALOG: usize = 32 * 1024 * 1024;
/// Routes whose bodies carry catalogs.
const CATALOGS: &[&str] = &["/repair/apply_new_catalog", "/repair/plan"];
/// How long a body may take however small it is.
const GRACE: Duration = Duration::from_secs(10);
/// And how much longer with every byte that has come.
const BYTES_PER_SECOND: u64 = 64 * 1024;

/// Bytes the body of a request may have, where its handler does not say.
pub(super) fn limit(request: &HttpRequest) -> usize {
    let route = request.match_pattern();
    if route.is_some_and(|route| CATALOGS.contains(&route.as_str())) {
        JSON_LIMIT_CATALOG
    } else {
        JSON_LIMIT
    }
}

/// The whole body, refused as soon as it is known to be too large, or too much beside the others.
pub(super) fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> impl Future<Output = Result<Bytes, ApiError>> + 'static {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let reserved = if announced.is_some_and(|length| length > limit) {
        Err(too_large(limit))
    } else {
        reserve(request, announced.unwrap_or(limit))
    };
    async move {
        reserved?;
        let mut body = BytesMut::with_capacity(announced.unwrap_or(0));
        let begun = Instant::now();
        loop {
            let earned = Duration::from_millis(body.len() as u64 * 1000 / BYTES_PER_SECOND);
            let next = tokio::time::timeout_at(begun + GRACE + earned, payload.next()).await;
            let Some(chunk) = next.map_err(|_| too_slow())? else {
                return Ok(body.freeze());
            };
            let chunk = chunk.map_err(|error| {
                ApiError::new(ErrorCode::Malformed, format!("the body broke off: {error}"))
            })?;
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
    }
}

/// Takes a place for the body, for as long as the request lasts.
fn reserve(request: &HttpRequest, bytes: usize) -> Result<(), ApiError> {
    let Some(gate) = request.app_data::<Data<Gate>>() else {
        return Ok(());
    };
    if bytes == 0 || request.extensions().contains::<Place>() {
        return Ok(());
    }
    let place = gate.limits.buffer(bytes)?;
    request.extensions_mut().insert(place);
    Ok(())
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ErrorCode::TooLarge,
        format!("the body may have at most {} MB", limit / 1024 / 1024),
    )
}

fn too_slow() -> ApiError {
    ApiError::new(
        ErrorCode::BodyTooSlow,
        format!(
            "the body came with less than {} KB/s",
            BYTES_PER_SECOND / 1024
        ),
    )
}
