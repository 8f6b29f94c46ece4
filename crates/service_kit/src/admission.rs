//! Admission control: for each request, once the router has found its route, checks the policy that
//! the route declares. A route without a policy rejects every request.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, ORIGIN,
    TRANSFER_ENCODING,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};
use contracts::{ErrorCode, Role};

use crate::access::{Access as Callers, Principal};
use crate::limits::{Place, RateLimitStatus};
use crate::middleware_state::MiddlewareState;
use crate::policy::{Access, Policy};
use crate::problem::ApiError;
use context::{caller, request_id};
use http_server::routes::Matched;

/// The route of a request, stored with the request for later middleware.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The path as declared.
    pub(super) pattern: Option<Rc<str>>,
    /// What it requires of the caller.
    pub(super) policy: Option<Policy>,
}

impl Route {
    /// The policy of a request's route.
    pub(super) fn policy_of(request: &HttpRequest) -> Option<Policy> {
        request.extensions().get::<Self>()?.policy
    }
}

/// An admitted request.
struct Admitted {
    /// The caller; `None` on routes that need no authentication.
    principal: Option<Principal>,
    /// Its place among the concurrent requests.
    place: Option<Place>,
}

/// Passes a request to its handler, or returns why it was rejected.
pub(super) async fn admission(
    matched: Matched<Policy>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let gate = request
        .app_data::<Data<MiddlewareState>>()
        .cloned()
        .expect("the server installs the gate's state together with the routes");
    request.extensions_mut().insert(Route {
        pattern: matched.pattern.clone(),
        policy: matched.policy,
    });
    let mut rate_limit_status = None;
    let admitted = admit(&gate, &matched, &request, &mut rate_limit_status).await;
    if let Some(rate_limit_status) = rate_limit_status {
        request
            .extensions_mut()
            .insert::<RateLimitStatus>(rate_limit_status);
    }
    match admitted {
        Ok(admitted) => work(&gate, admitted, request, next).await,
        Err(error) => {
            let id = request_id::current().unwrap_or_default();
            let mut response = error.respond(request.path(), &id);
            if matched.policy.is_none()
                && let Ok(allow) = HeaderValue::from_str(&matched.allow)
                && !allow.is_empty()
            {
                response.headers_mut().insert(ALLOW, allow);
            }
            Ok(request.into_response(response))
        }
    }
}

/// Runs the handler on behalf of the caller.
async fn work(
    gate: &MiddlewareState,
    admitted: Admitted,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Admitted { principal, place } = admitted;
    let Some(principal) = principal else {
        return next.call(request).await;
    };
    let actor = principal.actor(gate.service);
    let caller = principal.id();
    request.extensions_mut().insert(principal);
    let passed = gate.idempotency.pass(&caller, request, next, place);
    caller::scope(actor, passed).await
}

/// Checks whether the request is admitted; records the caller's rate-limit status either way.
async fn admit(
    gate: &MiddlewareState,
    matched: &Matched<Policy>,
    request: &ServiceRequest,
    rate_limit_status: &mut Option<RateLimitStatus>,
) -> Result<Admitted, ApiError> {
    let access = matched.policy.map(|policy| policy.access);
    if access == Some(Access::Probe) {
        return Ok(Admitted {
            principal: None,
            place: None,
        });
    }
    check_headers(&gate.access, request)?;
    let counted = matched.policy.is_none_or(|policy| policy.counted);
    let place = counted.then(|| gate.limits.enter()).transpose()?;
    let address = request.peer_addr().map(|address| address.ip());
    if access == Some(Access::Public) {
        gate.limits.count(None, address, rate_limit_status)?;
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
    if counted || principal.is_none() {
        gate.limits
            .count(principal.as_ref(), address, rate_limit_status)?;
    }
    let Some(principal) = principal else {
        return Err(ApiError::new(
            ErrorCode::Unauthenticated,
            "send an API key with the header Authorization: Bearer <key>",
        ));
    };
    match access {
        Some(Access::Role(needed)) => check_role(&principal, needed)?,
        Some(Access::Service) => check_service(&principal)?,
        Some(Access::Probe | Access::Public) => {}
        None => return Err(missing(matched, request.method())),
    }
    Ok(Admitted {
        principal: Some(principal),
        place,
    })
}

fn check_role(principal: &Principal, needed: Role) -> Result<(), ApiError> {
    if principal.role() >= needed {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::Forbidden,
        format!(
            "this requires a key with the role `{}`; this key has the role `{}`",
            needed.as_str(),
            principal.role().as_str()
        ),
    )
    .with("required_role", needed.as_str().into()))
}

fn check_service(principal: &Principal) -> Result<(), ApiError> {
    match principal {
        Principal::Service { .. } => Ok(()),
        Principal::Caller { .. } => Err(ApiError::new(
            ErrorCode::Forbidden,
            "only services of this installation may call this",
        )),
    }
}

/// The response for undeclared paths and methods.
fn missing(matched: &Matched<Policy>, method: &Method) -> ApiError {
    if matched.pattern.is_none() {
        return ApiError::new(ErrorCode::NotFound, "no resource at this path");
    }
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        format!("{method} is not allowed here; allowed: {}", matched.allow),
    )
}

/// Checks that no key can replace: the host, the site and the media type of the body.
fn check_headers(callers: &Callers, request: &ServiceRequest) -> Result<(), ApiError> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let host = header(HOST).map(str::to_owned).or_else(|| {
        // HTTP/2 sends it as the authority.
        request.uri().authority().map(ToString::to_string)
    });
    if !host
        .as_deref()
        .is_some_and(|host| callers.hosts.knows(host))
    {
        return Err(ApiError::new(
            ErrorCode::ForeignHost,
            "the Host header names another host; list hosts other than loopback in \
             AAM_ALLOWED_HOSTS",
        ));
    }
    let writes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if writes {
        let foreign_origin = request.headers().get(ORIGIN).is_some_and(|origin| {
            let known = origin
                .to_str()
                .map(|origin| callers.hosts.knows_origin(origin));
            !known.unwrap_or(false)
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
                "send a JSON body with the header Content-Type: application/json",
            ));
        }
    }
    Ok(())
}
