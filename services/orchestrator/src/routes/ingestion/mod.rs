//! The ingestion API: datasources, sinks, ingestions. The same handlers at the root and under
//! `/api/v1/airbyte`.

pub(crate) mod endpoints;
pub(crate) mod ingestions;
pub(crate) mod openapi;

use contracts::ErrorCode;
use http_server::routes::Routes;
use operations::flow::Error;
use serde_json::{Map, Value};
use service_kit::policy::{INGESTION_PREFIX, OPERATOR, Policy, VIEWER};
use service_kit::{ApiError, Body};

/// Declares its paths at both locations.
pub(crate) fn configure(routes: &mut Routes<Policy>) {
    routes.scope(INGESTION_PREFIX, paths).configure(paths);
}

fn paths(routes: &mut Routes<Policy>) {
    use endpoints::{datasource, sink};
    routes
        .get("/datasource/types", VIEWER, datasource::types)
        .get("/datasource", VIEWER, datasource::list)
        .post("/datasource", OPERATOR, datasource::create)
        .get("/datasource/{id}", VIEWER, datasource::get)
        .delete("/datasource/{id}", OPERATOR, datasource::delete)
        .get("/sink/types", VIEWER, sink::types)
        .get("/sink", VIEWER, sink::list)
        .post("/sink", OPERATOR, sink::create)
        .get("/sink/{id}", VIEWER, sink::get)
        .delete("/sink/{id}", OPERATOR, sink::delete)
        .get("/ingestion", VIEWER, ingestions::list)
        .post("/ingestion", OPERATOR, ingestions::create)
        .get("/ingestion/{connectionId}", VIEWER, ingestions::get)
        .patch("/ingestion/{connectionId}", OPERATOR, ingestions::patch)
        .delete("/ingestion/{connectionId}", OPERATOR, ingestions::delete)
        .post("/ingestion/{connectionId}/sync", OPERATOR, ingestions::sync)
        .get(
            "/ingestion/{connectionId}/status",
            VIEWER,
            ingestions::status,
        );
}

/// A body that is parsed member by member.
type Members = Body<Map<String, Value>>;

/// The parsed body, or a response with all its faults.
fn read<T>(read: Result<T, Vec<contracts::FieldError>>) -> Result<T, ApiError> {
    read.map_err(|faults| Error::fields(ErrorCode::Invalid, faults).into())
}
