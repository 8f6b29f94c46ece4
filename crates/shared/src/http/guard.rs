//! What every request passes: an id and a span, a known host, no writes from other sites, a JSON
//! body, a known caller; and on the way out, problem details for whatever failed without them.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpResponse};
use contracts::ErrorCode;
use tracing::Instrument as _;

use super::access::{Access, Principal};
use super::gate::Gate;
use super::limits::{Place, Standing};
use super::problem::{ApiError, CONTENT_TYPE_PROBLEM};
use super::{actor, request_id, roles};

/// Paths that probes ask, by address and without a key.
const PROBES: &[&str] = &["/health", "/ready"];
/// Read now and then, and most wanted when much comes in: not counted.
const METRICS: &str = "/metrics";

pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let gate = request
        .app_data::<Data<Gate>>()
        .map(|gate| gate.get_ref().clone())
        .expect("the server installs the guard's state beside the guard");
    let sent = request
        .headers()
        .get(request_id::HEADER)
        .and_then(|value| value.to_str().ok());
    let id = request_id::accept(sent);
    let span = tracing::info_span!(
        "request",
        service = gate.service,
        request_id = %id,
        method = %request.method(),
        path = request.path()
    );
    let traceparent = request.headers().get(crate::telemetry::TRACEPARENT);
    crate::telemetry::continue_trace(&span, traceparent.and_then(|value| value.to_str().ok()));
    request_id::scope(id.clone(), pass(gate, id, request, next).instrument(span)).await
}

async fn pass(
    gate: Gate,
    id: String,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let path = request.path().to_owned();
    let method = request.method().clone();
    let mut standing = None;
    let response = match admit(&gate, &request, &mut standing).await {
        Ok(admitted) => match work(&gate, admitted, request, next).await {
            Ok(response) => finish(response, &path, &id),
            Err(error) => {
                // An error that reached us as an error has lost its request; without it there is
                // nothing to answer on, so actix answers with the error's own response.
                tracing::warn!(%error, "request failed before its handler");
                return Err(error);
            }
        },
        Err(error) => {
            let (request, _) = request.into_parts();
            let response = error.respond(&path, &id);
            with_id(ServiceResponse::new(request, response), &id)
        }
    };
    let mut response = response;
    if let Some(standing) = standing {
        standing.tell(response.response_mut());
    }
    let status = response.status().as_u16();
    let elapsed = begun.elapsed();
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "unmatched".to_owned());
    super::metrics::observe(gate.service, &method, &route, status, elapsed);
    let duration_ms = elapsed.as_secs_f64() * 1000.0;
    if PROBES.contains(&path.as_str()) {
        tracing::debug!(target: "access", status, duration_ms, "answered");
    } else {
        tracing::info!(target: "access", status, duration_ms, "answered");
    }
    Ok(response)
}

/// A request that may go on.
struct Admitted {
    /// Who calls; `None` where anybody may.
    principal: Option<Principal>,
    /// Its place among the requests under way; probes need none.
    place: Option<Place>,
}

/// Lets the service do its work, for the caller.
async fn work(
    gate: &Gate,
    admitted: Admitted,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Admitted { principal, place } = admitted;
    let Some(principal) = principal else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let actor = principal.actor(gate.service);
    let caller = principal.id();
    request.extensions_mut().insert(principal);
    let passed = gate.idempotency.pass(&caller, request, next, place);
    actor::scope(actor, passed).await
}

/// Whether the request may go on; where its caller stands is noted either way.
async fn admit(
    gate: &Gate,
    request: &ServiceRequest,
    standing: &mut Option<Standing>,
) -> Result<Admitted, ApiError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && PROBES.contains(&request.path()) {
        return Ok(Admitted {
            principal: None,
            place: None,
        });
    }
    check_headers(&gate.access, request)?;
    let is_metrics = reads && request.path() == METRICS;
    let place = if is_metrics {
        None
    } else {
        Some(gate.limits.enter()?)
    };
    let address = request.peer_addr().map(|address| address.ip());
    if matches!(request.path(), "/openapi.json" | "/docs") || request.path().starts_with("/docs/") {
        gate.limits.count(None, address, standing)?;
        return Ok(Admitted {
            principal: None,
            place,
        });
    }
    let authorization = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or_default());
    let principal = gate.access.principal(authorization).await?;
    if !is_metrics || principal.is_none() {
        gate.limits.count(principal.as_ref(), address, standing)?;
    }
    let Some(principal) = principal else {
        return Err(ApiError::new(
            ErrorCode::Unauthenticated,
            "send an API key with the header Authorization: Bearer <key>",
        ));
    };
    let needed = roles::needed(request.method(), request.match_pattern().as_deref());
    if principal.role() < needed {
        return Err(ApiError::new(
            ErrorCode::Forbidden,
            format!(
                "this needs a key with the role `{}`; the role of this one is `{}`",
                needed.as_str(),
                principal.role().as_str()
            ),
        )
        .with("required_role", needed.as_str().into()));
    }
    Ok(Admitted {
        principal: Some(principal),
        place,
    })
}

/// What no key makes up for: the host, the site and the kind of body.
fn check_headers(access: &Access, request: &ServiceRequest) -> Result<(), ApiError> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let host = header(HOST).map(str::to_owned).or_else(|| {
        // HTTP/2 carries it as the authority.
        request.uri().authority().map(ToString::to_string)
    });
    if !host.as_deref().is_some_and(|host| access.knows_host(host)) {
        return Err(ApiError::new(
            ErrorCode::ForeignHost,
            "the Host header names another host; hosts besides loopback are listed in AAM_ALLOWED_HOSTS",
        ));
    }
    let writes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if writes {
        let foreign_origin = header(ORIGIN).is_some_and(|origin| {
            let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
            !access.knows_host(authority)
        });
        let fetch_site = request
            .headers()
            .get("sec-fetch-site")
            .and_then(|value| value.to_str().ok());
        if foreign_origin || fetch_site == Some("cross-site") {
            return Err(ApiError::new(
                ErrorCode::CrossSite,
                "the request came from another site",
            ));
        }
        let has_body = header(TRANSFER_ENCODING).is_some()
            || header(CONTENT_LENGTH).is_some_and(|length| length.trim() != "0");
        let is_json = header(CONTENT_TYPE).is_some_and(|value| {
            let essence = value
                .split(';')
                .next()
                .unwrap_or(value)
                .trim()
                .to_ascii_lowercase();
            essence == "application/json" || essence.ends_with("+json")
        });
        if has_body && !is_json {
            return Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                "send the body as JSON with the header Content-Type: application/json",
            ));
        }
    }
    Ok(())
}

/// Gives the answer its request id, and problem details where it failed without any.
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
        Some(replacement) => {
            let (request, _) = response.into_parts();
            with_id(ServiceResponse::new(request, replacement), id)
        }
        None => with_id(response, id),
    }
}

fn without_details(response: &ServiceResponse<BoxBody>) -> ApiError {
    let said = response
        .response()
        .error()
        .map(|error| error.as_response_error().to_string());
    match response.status() {
        StatusCode::NOT_FOUND => ApiError::new(ErrorCode::NotFound, "nothing is at this path"),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(
            ErrorCode::MethodNotAllowed,
            format!("{} is not allowed here", response.request().method()),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(ErrorCode::TooLarge, "the body is too large")
        }
        status if status.is_client_error() => ApiError::new(
            ErrorCode::Malformed,
            said.unwrap_or_else(|| status.to_string()),
        ),
        status => {
            let error = said.unwrap_or_else(|| status.to_string());
            tracing::error!(%error, "request failed");
            ApiError::new(
                ErrorCode::Internal,
                "the log tells more under this request id",
            )
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
