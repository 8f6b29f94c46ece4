//! Decides who may call, and how much: no browser on behalf of another site, no caller without a
//! token, no body that is larger than its route allows, arrives too slowly, or does not fit beside
//! the others. Each request is checked after the router has matched its route; a route without a
//! policy is closed.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use http_server::bodies;
use http_server::bodies::{Bodies, BodyFault};
use http_server::connections::UnderWay;
use http_server::head;
use http_server::hosts::Hosts;
use http_server::routes::Matched;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::policy::{Access, Policy};
use super::{late, problem};
use crate::engine::Engine;

/// Bytes that bodies under way may have together.
const BODIES_MAX: usize = 128 * 1024 * 1024;
/// `Retry-After` in seconds if the engine is full.
const FULL_SECONDS: &str = "1";

/// What the engine takes in; cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard {
    hosts: Hosts,
    requests: Arc<Semaphore>,
    bodies: Bodies,
}

/// A request's place among those under way; given back with the request.
struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Why a request is not answered by its handler.
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl Guard {
    /// A server that answers to `hosts` and has at most so many requests under way.
    pub(crate) fn new(hosts: Hosts, requests_max: usize) -> Self {
        Self {
            hosts,
            requests: Arc::new(Semaphore::new(requests_max)),
            bodies: Bodies::new(BODIES_MAX),
        }
    }

    /// Lets a request through to its handler, or answers why not.
    pub(crate) async fn pass(
        self,
        matched: Matched<Policy>,
        mut request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let _under_way = UnderWay::of(&request);
        let method = request.method().clone();
        let refusal = match self.admit(&matched, &request) {
            Ok(policy) => match self.take_body(policy, &mut request).await {
                Ok(()) => {
                    let answer = late::late(policy.makes, request, next).await?;
                    return Ok(head::answer(&method, answer));
                }
                Err(refusal) => refusal,
            },
            Err(refusal) => refusal,
        };
        let mut answer = problem::framework(refusal.status, request.path(), &refusal.message);
        annotate(&mut answer, &matched);
        Ok(head::answer(&method, request.into_response(answer)))
    }

    /// The policy of a request that may go on.
    fn admit(
        &self,
        matched: &Matched<Policy>,
        request: &ServiceRequest,
    ) -> Result<Policy, Refusal> {
        let access = matched.policy.map(|policy| policy.access);
        if access != Some(Access::Probe) {
            self.check_headers(access, request)?;
            let permit = Arc::clone(&self.requests).try_acquire_owned();
            let permit = permit.map_err(|_| {
                let message = "as many requests as it takes are under way";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
            })?;
            request.extensions_mut().insert(Place { _permit: permit });
        }
        // A path that requires no token requires none for any method.
        let is_open = match access {
            Some(access) => access != Access::Bearer,
            None => {
                let others = &matched.others;
                !others.is_empty() && others.iter().all(|other| other.access != Access::Bearer)
            }
        };
        if !is_open {
            check_token(request)?;
        }
        matched.policy.ok_or_else(|| match matched.pattern {
            Some(_) => {
                let method = request.method();
                let allow = &matched.allow;
                let message = format!(
                    "Method [{method}] not allowed for URI [{}]. Allowed methods: [{allow}]",
                    request.path()
                );
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
            }
            None => Refusal::new(StatusCode::NOT_FOUND, "Page Not Found"),
        })
    }

    /// What no token makes up for: the host, the site and the kind of body.
    fn check_headers(
        &self,
        access: Option<Access>,
        request: &ServiceRequest,
    ) -> Result<(), Refusal> {
        let host = text(request, header::HOST)
            .or_else(|| request.uri().authority().map(|host| host.as_str()));
        if !host.is_some_and(|host| self.hosts.knows(host)) {
            let message = "this host name is not served here; AAM_ALLOWED_HOSTS adds names";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, message));
        }
        let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if !writes {
            return Ok(());
        }
        let foreign =
            text(request, header::ORIGIN).is_some_and(|origin| !self.hosts.knows_origin(origin));
        let site = text(request, HeaderName::from_static("sec-fetch-site"));
        if foreign || site == Some("cross-site") {
            let message = "writes from other sites are refused";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        // A body without a type is read as what it should be, as Airbyte does: no page of another
        // site can make one that carries a token.
        let Some(kind) = text(request, header::CONTENT_TYPE) else {
            return Ok(());
        };
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let is_json = kind.eq_ignore_ascii_case("application/json");
        let has_body = *request.method() != Method::DELETE;
        if has_body && !is_json && !(is_form && access == Some(Access::Token)) {
            let message = "the Content-Type must be application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        Ok(())
    }

    /// Reads the body before the handler does, within the route's bounds.
    async fn take_body(&self, policy: Policy, request: &mut ServiceRequest) -> Result<(), Refusal> {
        let announced = bodies::announced(request.request());
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        if announced.unwrap_or(0) == 0 && !is_chunked {
            return Ok(());
        }
        let limit = policy.body_limit;
        let share = self.bodies.reserve(announced, limit).map_err(refused)?;
        let payload = request.take_payload();
        let body = bodies::receive(payload, limit).await;
        request.set_payload(Payload::from(body.map_err(refused)?));
        request.extensions_mut().insert(share);
        Ok(())
    }
}

fn check_token(request: &ServiceRequest) -> Result<(), Refusal> {
    let engine = request.app_data::<web::Data<Engine>>();
    let token = text(request, header::AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let is_known = engine
        .zip(token)
        .is_some_and(|(engine, token)| engine.tokens.accepts(token));
    if is_known {
        Ok(())
    } else {
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized"))
    }
}

fn text(request: &ServiceRequest, name: HeaderName) -> Option<&str> {
    let value = request.headers().get(name)?;
    Some(value.to_str().unwrap_or_default())
}

fn refused(fault: BodyFault) -> Refusal {
    let status = match fault {
        BodyFault::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        BodyFault::TooSlow => StatusCode::REQUEST_TIMEOUT,
        BodyFault::Broken(_) => StatusCode::BAD_REQUEST,
        BodyFault::Full => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal::new(status, fault.to_string())
}

/// The headers that go with a status.
fn annotate(answer: &mut HttpResponse, matched: &Matched<Policy>) {
    match answer.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            if let Ok(allow) = HeaderValue::from_str(&matched.allow) {
                answer.headers_mut().insert(header::ALLOW, allow);
            }
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            let wait = HeaderValue::from_static(FULL_SECONDS);
            answer.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        // What was not read of the body would be read as the next request.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            answer
                .head_mut()
                .set_connection_type(actix_web::http::ConnectionType::Close);
        }
        _ => {}
    }
}
