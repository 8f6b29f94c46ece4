//! `/sealed`: what operations need to resume, for AAM services only.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use contracts::{ErrorCode, Problem, SealedRequest};
use service_kit::{ApiError, Body};
use uuid::Uuid;

use crate::state::State;

/// Stores a configuration for an operation.
#[utoipa::path(
    put,
    path = "/sealed/{operation_id}",
    request_body = SealedRequest,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem))
)]
pub(crate) async fn put(
    state: Data<State>,
    id: Path<String>,
    body: Body<SealedRequest>,
) -> Result<impl Responder, ApiError> {
    let id = operation(&id)?;
    let vault = state.vault.clone();
    state
        .runtime
        .run(async move { vault.seal(id, &body.0.configuration).await })
        .await?;
    Ok(HttpResponse::NoContent())
}

/// Returns what is stored for an operation.
#[utoipa::path(
    get,
    path = "/sealed/{operation_id}",
    responses((status = 200, body = SealedRequest), (status = 403, body = Problem), (status = 404, body = Problem))
)]
pub(crate) async fn get(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let id = operation(&id)?;
    let vault = state.vault.clone();
    let kept = state
        .runtime
        .run(async move { vault.unseal(id).await })
        .await?;
    let configuration = kept.ok_or_else(|| unknown(&id.to_string()))?;
    Ok(Json(SealedRequest { configuration }))
}

/// Deletes what is stored for an operation.
#[utoipa::path(
    delete,
    path = "/sealed/{operation_id}",
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem))
)]
pub(crate) async fn delete(
    state: Data<State>,
    id: Path<String>,
) -> Result<impl Responder, ApiError> {
    let id = operation(&id)?;
    let vault = state.vault.clone();
    state
        .runtime
        .run(async move { vault.forget(id).await })
        .await?;
    Ok(HttpResponse::NoContent())
}

fn operation(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(
        ErrorCode::OperationNotFound,
        format!("nothing is stored for operation `{id}`"),
    )
}
