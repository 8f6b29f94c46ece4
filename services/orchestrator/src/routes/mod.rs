//! HTTP in, HTTP out.

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
use actix_web::web::{self, ServiceConfig};
use contracts::ErrorCode;
use shared::http::ApiError;
use uuid::Uuid;

/// Wires the service's own paths.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/connections/onboard").route(web::post().to(connections::onboard)))
        .service(web::resource("/connections").route(web::get().to(connections::list)))
        .service(
            web::resource("/connections/{id}")
                .route(web::get().to(connections::get))
                .route(web::patch().to(connections::patch))
                .route(web::delete().to(connections::delete)),
        )
        .service(web::resource("/connections/{id}/sync").route(web::post().to(connections::sync)))
        .service(web::resource("/connections/{id}/heal").route(web::post().to(connections::heal)))
        .service(
            web::resource("/connections/{id}/rollback")
                .route(web::post().to(connections::rollback)),
        )
        .service(
            web::resource("/connections/{id}/operations").route(web::get().to(operations::list)),
        )
        .service(
            web::resource("/orphans")
                .route(web::get().to(orphans::list))
                .route(web::delete().to(orphans::delete)),
        )
        .service(web::resource("/connections/{id}/jobs").route(web::get().to(jobs::list)))
        .service(web::resource("/connections/{id}/catalogs").route(web::get().to(catalogs::list)))
        .service(
            web::resource("/connections/{id}/catalogs/diff").route(web::get().to(catalogs::diff)),
        )
        .service(
            web::resource("/connections/{id}/catalogs/{version}")
                .route(web::get().to(catalogs::get)),
        )
        .service(web::resource("/metrics/connections").route(web::get().to(metrics::connections)))
        .service(web::resource("/events").route(web::get().to(events::listen)))
        .service(web::resource("/operations").route(web::get().to(operations::open)))
        .service(web::resource("/operations/{id}").route(web::get().to(operations::get)))
        .service(
            web::resource("/keys")
                .route(web::get().to(keys::list))
                .route(web::post().to(keys::create)),
        )
        .service(web::resource("/keys/{id}").route(web::delete().to(keys::revoke)))
        .service(web::resource("/audit").route(web::get().to(audit::list)))
        .service(web::resource("/jobs/{job_id}/logs").route(web::get().to(jobs::logs)))
        .service(web::resource("/jobs/{job_id}/cancel").route(web::post().to(jobs::cancel)))
        .service(web::resource("/jobs/{job_id}").route(web::get().to(jobs::get)))
        .configure(ingestion::configure);
}

/// The next page's address: the same query from where this one ended.
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

/// A connection's id in a path; one that is no id names no connection.
fn connection_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| {
        ApiError::new(
            ErrorCode::ConnectionNotFound,
            format!("no connection `{text}`; ids are UUIDs, and GET /connections lists them"),
        )
    })
}
