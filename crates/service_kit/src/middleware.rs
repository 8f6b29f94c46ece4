//! Applied to every response: a request id and a span, a log line, metrics, and problem details for
//! failures that have none. [`crate::admission`] decides who may call, once the route is known.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpResponse};
use contracts::ErrorCode;
use tracing::Instrument as _;

use crate::admission::Route;
use crate::limits::RateLimitStatus;
use crate::middleware_state::MiddlewareState;
use crate::policy::Access;
use crate::problem::{ApiError, CONTENT_TYPE_PROBLEM};
use context::request_id;
use http_server::connections::UnderWay;
use http_server::head;

/// Wraps every request.
pub(super) async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let service = request
        .app_data::<Data<MiddlewareState>>()
        .map(|gate| gate.service)
        .expect("the server installs the middleware together with its state");
    let sent = request
        .headers()
        .get(request_id::HEADER)
        .and_then(|value| value.to_str().ok());
    let id = request_id::accept(sent);
    let span = tracing::info_span!(
        "request",
        service,
        request_id = %id,
        method = %request.method(),
        path = request.path()
    );
    let traceparent = request.headers().get(context::trace::TRACEPARENT);
    context::trace::continue_trace(&span, traceparent.and_then(|value| value.to_str().ok()));
    request_id::scope(
        id.clone(),
        pass(service, id, request, next).instrument(span),
    )
    .await
}

async fn pass(
    service: &'static str,
    id: String,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = Instant::now();
    let _under_way = UnderWay::of(&request);
    let path = request.path().to_owned();
    let method = request.method().clone();
    let response = match next.call(request).await {
        Ok(response) => finish(response.map_into_boxed_body(), &path, &id),
        Err(error) => {
            // An error that arrives here as an error has lost its request, so no response can be
            // built on it; actix sends the error's own response.
            tracing::warn!(%error, "request failed before its handler");
            return Err(error);
        }
    };
    let mut response = response;
    let (route, rate_limit_status) = {
        let extensions = response.request().extensions();
        (
            extensions.get::<Route>().cloned(),
            extensions.get::<RateLimitStatus>().copied(),
        )
    };
    if let Some(rate_limit_status) = rate_limit_status {
        rate_limit_status.write_headers(response.response_mut());
    }
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let pattern = route.as_ref().and_then(|route| route.pattern.as_deref());
    let pattern = pattern.unwrap_or("unmatched");
    crate::request_metrics::observe(service, &method, pattern, status, elapsed);
    let duration_ms = elapsed.as_secs_f64() * 1000.0;
    let access = route
        .and_then(|route| route.policy)
        .map(|policy| policy.access);
    if access == Some(Access::Probe) {
        tracing::debug!(target: "access", status, duration_ms, "answered");
    } else {
        tracing::info!(target: "access", status, duration_ms, "answered");
    }
    Ok(head::answer(&method, response))
}

/// Adds the request id to the response, and problem details to a failure without any.
pub(super) fn finish(
    response: ServiceResponse<BoxBody>,
    path: &str,
    id: &str,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return with_id(response, id);
    }
    let known = response
        .response()
        .error()
        .and_then(|error| error.as_error::<ApiError>());
    let replacement: Option<HttpResponse> = match known {
        Some(error) => Some(error.respond(path, id)),
        None => {
            let is_ours = response
                .headers()
                .get(CONTENT_TYPE)
                .is_some_and(|value| value == CONTENT_TYPE_PROBLEM || value == "application/json");
            (!is_ours).then(|| without_details(&response).respond(path, id))
        }
    };
    match replacement {
        Some(mut replacement) => {
            if let Some(allow) = response.headers().get(ALLOW) {
                replacement.headers_mut().insert(ALLOW, allow.clone());
            }
            let (request, _) = response.into_parts();
            with_id(ServiceResponse::new(request, replacement), id)
        }
        None => with_id(response, id),
    }
}

fn without_details(response: &ServiceResponse<BoxBody>) -> ApiError {
    let message = response
        .response()
        .error()
        .map(|error| error.as_response_error().to_string());
    match response.status() {
        StatusCode::NOT_FOUND => ApiError::new(ErrorCode::NotFound, "no resource at this path"),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(
            ErrorCode::MethodNotAllowed,
            format!("{} is not allowed here", response.request().method()),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(ErrorCode::TooLarge, "the body is too large")
        }
        status if status.is_client_error() => ApiError::new(
            ErrorCode::Malformed,
            message.unwrap_or_else(|| status.to_string()),
        ),
        status => {
            let error = message.unwrap_or_else(|| status.to_string());
            tracing::error!(%error, "request failed");
            ApiError::new(ErrorCode::Internal, "see the log under this request id")
        }
    }
}

fn with_id(mut response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    if let Ok(value) = id.parse() {
        response.headers_mut().insert(
            actix_web::http::header::HeaderName::from_static(request_id::HEADER),
            value,
        );
    }
    response
}
