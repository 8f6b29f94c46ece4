//! `/operations`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use contracts::{ErrorCode, OperationView, Problem};
use shared::http::ApiError;
use uuid::Uuid;

use super::connection_id;
use crate::domain::view;
use crate::state::State;

/// One operation with its steps.
#[utoipa::path(
    get,
    path = "/operations/{id}",
    responses((status = 200, body = OperationView), (status = 404, body = Problem))
)]
pub(crate) async fn get(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let unknown = || ApiError::new(ErrorCode::OperationNotFound, format!("no operation `{id}`"));
    let key = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let row = state
        .registry
        .operation_get(key)
        .await?
        .ok_or_else(unknown)?;
    let steps = state.registry.step_list(key).await?;
    Ok(Json(view::operation(&row, &steps)))
}

/// The operations of a connection, newest first, without their steps.
#[utoipa::path(
    get,
    path = "/connections/{id}/operations",
    responses((status = 200, body = Vec<OperationView>), (status = 404, body = Problem))
)]
pub(crate) async fn list(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let id = connection_id(&id)?;
    let rows = state.registry.operation_list(id).await?;
    if rows.is_empty() {
        // Unknown, rather than never worked on: every connection began with an onboarding.
        state.connection(id).await?;
    }
    let all: Vec<_> = rows.iter().map(|row| view::operation(row, &[])).collect();
    Ok(Json(all))
}

/// 202 for work that goes on by itself.
pub(crate) async fn accepted(state: &State, id: Uuid) -> Result<HttpResponse, ApiError> {
    let row = state.registry.operation_get(id).await?;
    let row = row.ok_or_else(|| {
        ApiError::new(ErrorCode::OperationNotFound, format!("no operation `{id}`"))
    })?;
    let steps = state.registry.step_list(id).await?;
    Ok(HttpResponse::Accepted()
        .insert_header(("location", format!("/operations/{id}")))
        .json(view::operation(&row, &steps)))
}
