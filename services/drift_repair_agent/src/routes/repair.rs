//! `/repair`.

use actix_web::Responder;
use actix_web::web::{Data, Json};
use contracts::{
    ApplyAnswer, ErrorCode, HealAnswer, HealRequest, PlanAnswer, PlanRequest, Problem,
    RollbackAnswer, RollbackRequest,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use service_kit::{ApiError, Body};
use uuid::Uuid;

use crate::flows;
use crate::state::State;

/// `POST /repair/apply_new_catalog`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyRequest {
    connection_id: String,
    new_sync_catalog: Box<RawValue>,
    #[serde(default)]
    expected_version: Option<i32>,
}

/// Applies a catalog, which may omit what the source defines.
#[utoipa::path(
    post,
    path = "/repair/apply_new_catalog",
    request_body = Object,
    responses(
        (status = 200, body = ApplyAnswer),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn apply_new_catalog(
    state: Data<State>,
    body: Body<ApplyRequest>,
) -> Result<impl Responder, ApiError> {
    let ApplyRequest {
        connection_id,
        new_sync_catalog,
        expected_version,
    } = body.0;
    let request = flows::apply::Request {
        connection_id: connection(&connection_id)?,
        catalog: new_sync_catalog.get().to_owned(),
        expected_version,
    };
    let flow = flows::apply::run(state.get_ref().clone(), request);
    Ok(Json(state.runtime.run(flow).await?))
}

/// Returns what a heal would do. Changes nothing.
#[utoipa::path(
    post,
    path = "/repair/plan",
    request_body = PlanRequest,
    responses((status = 200, body = PlanAnswer), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn plan(
    state: Data<State>,
    body: Body<PlanRequest>,
) -> Result<impl Responder, ApiError> {
    let flow = flows::plan::run(state.get_ref().clone(), body.0);
    Ok(Json(state.runtime.run(flow).await?))
}

/// Discovers, plans, and applies harmless and accepted changes.
#[utoipa::path(
    post,
    path = "/repair/heal",
    request_body = HealRequest,
    responses(
        (status = 200, body = HealAnswer),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn heal(
    state: Data<State>,
    body: Body<HealRequest>,
) -> Result<impl Responder, ApiError> {
    let flow = flows::heal::request(state.get_ref().clone(), body.0);
    Ok(Json(state.runtime.run(flow).await?))
}

/// Rolls a connection back to an earlier catalog version, under a new number.
#[utoipa::path(
    post,
    path = "/repair/rollback",
    request_body = RollbackRequest,
    responses(
        (status = 200, body = RollbackAnswer),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn rollback(
    state: Data<State>,
    body: Body<RollbackRequest>,
) -> Result<impl Responder, ApiError> {
    let flow = flows::rollback::run(state.get_ref().clone(), body.0);
    Ok(Json(state.runtime.run(flow).await?))
}

/// Parses a connection's id; a malformed id means that there is no such connection, as in a path.
fn connection(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| {
        ApiError::new(
            ErrorCode::ConnectionNotFound,
            format!("no connection `{text}`; ids are UUIDs"),
        )
    })
}
