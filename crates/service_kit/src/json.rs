//! JSON bodies: large ones are parsed off the worker threads, and every error names its field.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use contracts::{ErrorCode, FieldError};
use serde::de::DeserializeOwned;

use crate::{ApiError, body};
use http_server::unquoted::unquoted;

/// Larger bodies are parsed off the worker threads.
const INLINE: usize = 1024 * 1024;

/// A JSON body, limited to the size that its route declares.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// An optional JSON body. If present, it must be valid.
#[derive(Debug)]
pub struct OptionalBody<T>(pub Option<T>);

impl<T: DeserializeOwned + Send + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body::read(request, payload.take());
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
        let body = body::read(request, payload.take());
        Box::pin(async move {
            let body = body.await?;
            if body.trim_ascii().is_empty() {
                return Ok(Self(None));
            }
            parse(&body).map(|value| Self(Some(value)))
        })
    }
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
                    message: unquoted(&inner.to_string()),
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

/// serde reports a missing or unknown member of the body itself without a path.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    text.split('`').nth(1).map(str::to_owned)
}
