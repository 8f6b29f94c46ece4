//! Who may call: no browser that was lured here, nobody without a token.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, web};

use super::problem;
use crate::engine::Engine;

/// Names that this process answers to.
pub(crate) struct Hosts {
    bind: String,
    allowed: Vec<String>,
}

impl Hosts {
    pub(crate) fn new(bind: &str, allowed: Vec<String>) -> Self {
        Self {
            bind: bind.to_owned(),
            allowed,
        }
    }

    /// Whether `host`, with or without a port, is one of ours.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let loopback = name.eq_ignore_ascii_case("localhost")
            || name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        loopback
            || name.eq_ignore_ascii_case(without_port(&self.bind))
            || self
                .allowed
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known) || host.eq_ignore_ascii_case(known))
    }
}

fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.split_once(':') {
        // More than one colon: a bare IPv6 address.
        Some((_, port)) if port.contains(':') => host,
        Some((name, _)) => name,
        None => host,
    }
}

const OPEN: [&str; 4] = [
    "/api/public/v1/applications/token",
    "/api/public/applications/token",
    "/api/v1/applications/token",
    "/applications/token",
];
const HEALTH: [&str; 2] = ["/api/public/v1/health", "/api/v1/health"];

/// Lets a request through or answers why not.
pub(crate) async fn guard(
    hosts: Arc<Hosts>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match refusal(&hosts, request.request()) {
        Some((status, message)) => {
            let answer = problem::framework(status, request.path(), message);
            Ok(request.into_response(answer))
        }
        None => next.call(request).await,
    }
}

fn refusal(hosts: &Hosts, request: &HttpRequest) -> Option<(StatusCode, &'static str)> {
    let path = request.path();
    if HEALTH.contains(&path) || path == "/health" {
        return None;
    }
    let text = |name| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or_default())
    };
    let host = text(header::HOST).or_else(|| request.uri().authority().map(|a| a.as_str()));
    if !host.is_some_and(|host| hosts.knows(host)) {
        let message = "this host name is not served here; AAM_ALLOWED_HOSTS adds names";
        return Some((StatusCode::MISDIRECTED_REQUEST, message));
    }
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if writes {
        let foreign = text(header::ORIGIN).is_some_and(|origin| {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            !hosts.knows(host)
        });
        let cross_site = text(header::HeaderName::from_static("sec-fetch-site"));
        if foreign || cross_site == Some("cross-site") {
            return Some((StatusCode::FORBIDDEN, "writes from other sites are refused"));
        }
    }
    let open = OPEN.contains(&path);
    if writes && *request.method() != Method::DELETE {
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let form = open && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if !form && !kind.eq_ignore_ascii_case("application/json") {
            let message = "the Content-Type must be application/json";
            return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    }
    let guarded = path.starts_with("/api/") && !open;
    if guarded {
        let engine = request.app_data::<web::Data<Engine>>()?;
        let token = text(header::AUTHORIZATION)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        if !token.is_some_and(|token| engine.tokens.accepts(token)) {
            return Some((StatusCode::UNAUTHORIZED, "Unauthorized"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_bind_address_and_allowed_names_are_known() {
        let hosts = Hosts::new("192.0.2.7", vec!["airbyte".into(), "proxy:8443".into()]);
        for known in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8000",
            "192.0.2.7:8000",
            "airbyte:8000",
            "proxy:8443",
        ] {
            assert!(hosts.knows(known), "{known}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "192.0.2.8",
            "",
            "proxy:1",
        ] {
            assert!(!hosts.knows(foreign), "{foreign}");
        }
    }
}
