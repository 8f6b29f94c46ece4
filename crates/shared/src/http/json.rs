//! JSON bodies: bounded while they arrive, parsed off the workers when large, and every fault told
//! with the field it is in.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use contracts::{ErrorCode, FieldError};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;

use super::ApiError;

/// Bytes a body may have.
pub const JSON_LIMIT: usize = 1024 * 1024;
/// Bytes a body that carries a catalog may have.
pub const JSON_LIMIT_CATALOG: usize = 32 * 1024 * 1024;
/// Larger bodies are parsed off the workers.
const INLINE: usize = 1024 * 1024;

/// A JSON body of at most `LIMIT` bytes.
#[derive(Debug)]
pub struct Body<T, const LIMIT: usize = JSON_LIMIT>(pub T);

/// A JSON body that may be left out. One that is there must read.
#[derive(Debug)]
pub struct OptionalBody<T>(pub Option<T>);

impl<T: DeserializeOwned + Send + 'static, const LIMIT: usize> FromRequest for Body<T, LIMIT> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, LIMIT);
        Box::pin(async move {
            let body = body.await?;
            if body.len() <= INLINE {
                return parse(&body).map(Self);
            }
            tokio::task::spawn_blocking(move || parse(&body).map(Self))
                .await
                .map_err(|error| ApiError::caused(ErrorCode::Internal, &error))?
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, JSON_LIMIT);
        Box::pin(async move {
            let body = body.await?;
            if body.trim_ascii().is_empty() {
                return Ok(Self(None));
            }
            parse(&body).map(|value| Self(Some(value)))
        })
    }
}

/// The whole body, refused as soon as it is known to be too large.
fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    limit: usize,
) -> impl Future<Output = Result<Bytes, ApiError>> + 'static {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut payload = payload.take();
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

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let field = if field == "." {
                missing_field(&inner).unwrap_or(field)
            } else {
                field
            };
            ApiError::of_fields(
                ErrorCode::Invalid,
                vec![FieldError {
                    field,
                    message: inner.to_string(),
                }],
            )
        } else {
            ApiError::new(
                ErrorCode::Malformed,
                format!("the body is not JSON: {inner}"),
            )
        }
    })?;
    deserializer.end().map_err(|error| {
        ApiError::new(
            ErrorCode::Malformed,
            format!("the body is not one JSON value: {error}"),
        )
    })?;
    Ok(value)
}

/// serde tells a missing or unknown member of the body itself without a path.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    text.split('`').nth(1).map(str::to_owned)
}
