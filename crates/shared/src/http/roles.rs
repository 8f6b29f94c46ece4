//! What each route asks of its caller, in one place. A read that is not listed is open to every key,
//! a write that is not listed to admins alone.

use actix_web::http::Method;
use contracts::Role::{self, Admin, Operator};

/// By method and route, as the services declare them.
const ROUTES: &[(&str, &str, Role)] = &[
    ("POST", "/connections/onboard", Operator),
    ("PATCH", "/connections/{id}", Operator),
    ("DELETE", "/connections/{id}", Operator),
    ("POST", "/connections/{id}/sync", Operator),
    ("POST", "/connections/{id}/heal", Operator),
    ("POST", "/connections/{id}/rollback", Operator),
    ("POST", "/datasource", Operator),
    ("DELETE", "/datasource/{id}", Operator),
    ("POST", "/sink", Operator),
    ("DELETE", "/sink/{id}", Operator),
    ("POST", "/ingestion", Operator),
    ("PATCH", "/ingestion/{connectionId}", Operator),
    ("DELETE", "/ingestion/{connectionId}", Operator),
    ("POST", "/ingestion/{connectionId}/sync", Operator),
    ("POST", "/jobs/{job_id}/cancel", Operator),
    // A plan changes nothing, and yet makes Airbyte run a connector.
    ("POST", "/repair/plan", Operator),
    ("POST", "/repair/heal", Operator),
    ("POST", "/repair/rollback", Operator),
    ("POST", "/repair/apply_new_catalog", Operator),
    // It removes objects in Airbyte that no connection of AAM's owns.
    ("DELETE", "/orphans", Admin),
    ("GET", "/keys", Admin),
    ("POST", "/keys", Admin),
    ("DELETE", "/keys/{id}", Admin),
    ("GET", "/audit", Admin),
    // Services of ours alone; the routes themselves see to it.
    ("GET", "/sealed/{operation_id}", Admin),
    ("PUT", "/sealed/{operation_id}", Admin),
    ("DELETE", "/sealed/{operation_id}", Admin),
    ("PUT", "/credentials/{credential_id}", Admin),
    ("DELETE", "/credentials/{credential_id}", Admin),
];

/// Where the ingestion API is a second time.
pub const INGESTION_PREFIX: &str = "/api/v1/airbyte";

/// The role that is listed for a route.
pub fn declared(method: &str, route: &str) -> Option<Role> {
    let route = route.strip_prefix(INGESTION_PREFIX).unwrap_or(route);
    let found = ROUTES
        .iter()
        .find(|(known, path, _)| *known == method && *path == route);
    found.map(|(.., role)| *role)
}

/// The role a request needs.
pub(super) fn needed(method: &Method, route: Option<&str>) -> Role {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let method = if reads { "GET" } else { method.as_str() };
    let fallback = if reads { Role::Viewer } else { Admin };
    route
        .and_then(|route| declared(method, route))
        .unwrap_or(fallback)
}
