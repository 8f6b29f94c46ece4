//! HTTP handlers.

pub(crate) mod audit;
pub(crate) mod catalogs;
pub(crate) mod connections;
pub(crate) mod events;
pub(crate) mod ingestion;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod operations;
pub(crate) mod orphans;
mod rows;

use actix_web::HttpRequest;
use contracts::ErrorCode;
use http_server::routes::Routes;
use service_kit::ApiError;
use service_kit::policy::{ADMIN, OPERATOR, Policy, VIEWER};
use uuid::Uuid;

/// Declares the service's own paths.
pub(crate) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/connections/onboard", OPERATOR, connections::onboard)
        .get("/connections", VIEWER, connections::list)
        .get("/connections/{id}", VIEWER, connections::get)
        .patch("/connections/{id}", OPERATOR, connections::patch)
        .delete("/connections/{id}", OPERATOR, connections::delete)
        .post("/connections/{id}/sync", OPERATOR, connections::sync)
        .post("/connections/{id}/heal", OPERATOR, connections::heal)
        .post(
            "/connections/{id}/rollback",
            OPERATOR,
            connections::rollback,
        )
        .get("/connections/{id}/operations", VIEWER, operations::list)
        .get("/orphans", VIEWER, orphans::list)
        .delete("/orphans", ADMIN, orphans::delete)
        .get("/connections/{id}/jobs", VIEWER, jobs::list)
        .get("/connections/{id}/catalogs", VIEWER, catalogs::list)
        .get("/connections/{id}/catalogs/diff", VIEWER, catalogs::diff)
        .get(
            "/connections/{id}/catalogs/{version}",
            VIEWER,
            catalogs::get,
        )
        .get("/metrics/connections", VIEWER, metrics::connections)
        .get("/events", VIEWER, events::listen)
        .get("/operations", VIEWER, operations::open)
        .get("/operations/{id}", VIEWER, operations::get)
        .get("/keys", ADMIN, keys::list)
        .post("/keys", ADMIN, keys::create)
        .delete("/keys/{id}", ADMIN, keys::revoke)
        .get("/audit", ADMIN, audit::list)
        .get("/jobs/{job_id}/logs", VIEWER, jobs::logs)
        .post("/jobs/{job_id}/cancel", OPERATOR, jobs::cancel)
        .get("/jobs/{job_id}", VIEWER, jobs::get)
        .configure(ingestion::configure);
}

/// The next page's URL: the same query, starting where this page ended.
fn next_link(request: &HttpRequest, parameter: &str, last: &str) -> String {
    let set = format!("{parameter}=");
    let mut pairs: Vec<String> = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with(&set))
        .map(str::to_owned)
        .collect();
    pairs.push(format!("{set}{last}"));
    format!("<{}?{}>; rel=\"next\"", request.path(), pairs.join("&"))
}

/// Parses a connection's id in a path; a malformed id means that there is no such connection.
fn connection_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| {
        ApiError::new(
            ErrorCode::ConnectionNotFound,
            format!("no connection `{text}`; ids are UUIDs, and GET /connections lists them"),
        )
    })
}
