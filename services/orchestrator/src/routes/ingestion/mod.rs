//! The ingestion API: datasources, sinks, ingestions. The same handlers at the root and under
//! `/api/v1/airbyte`.

pub(crate) mod endpoints;
pub(crate) mod ingestions;
pub(crate) mod openapi;

use actix_web::web::{self, ServiceConfig};
use contracts::ErrorCode;
use serde_json::{Map, Value};
use shared::flow::Error;
use shared::http::roles::INGESTION_PREFIX;
use shared::http::{ApiError, Body};

/// Wires its paths, both times.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(web::scope(INGESTION_PREFIX).configure(paths));
    paths(config);
}

fn paths(config: &mut ServiceConfig) {
    use endpoints::{datasource, sink};
    config
        .service(web::resource("/datasource/types").route(web::get().to(datasource::types)))
        .service(
            web::resource("/datasource")
                .route(web::get().to(datasource::list))
                .route(web::post().to(datasource::create)),
        )
        .service(
            web::resource("/datasource/{id}")
                .route(web::get().to(datasource::get))
                .route(web::delete().to(datasource::delete)),
        )
        .service(web::resource("/sink/types").route(web::get().to(sink::types)))
        .service(
            web::resource("/sink")
                .route(web::get().to(sink::list))
                .route(web::post().to(sink::create)),
        )
        .service(
            web::resource("/sink/{id}")
                .route(web::get().to(sink::get))
                .route(web::delete().to(sink::delete)),
        )
        .service(
            web::resource("/ingestion")
                .route(web::get().to(ingestions::list))
                .route(web::post().to(ingestions::create)),
        )
        .service(
            web::resource("/ingestion/{connectionId}")
                .route(web::get().to(ingestions::get))
                .route(web::patch().to(ingestions::patch))
                .route(web::delete().to(ingestions::delete)),
        )
        .service(
            web::resource("/ingestion/{connectionId}/sync").route(web::post().to(ingestions::sync)),
        )
        .service(
            web::resource("/ingestion/{connectionId}/status")
                .route(web::get().to(ingestions::status)),
        );
}

/// A body that is read member by member.
type Members = Body<Map<String, Value>>;

/// What a body says, or everything that is wrong with it.
fn read<T>(read: Result<T, Vec<contracts::FieldError>>) -> Result<T, ApiError> {
    read.map_err(|faults| Error::fields(ErrorCode::Invalid, faults).into())
}
