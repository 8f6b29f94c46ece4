//! `/operations`.

use actix_web::Responder;
use actix_web::web::{Data, Json, Path};
use contracts::{ErrorCode, OperationView, Problem};
use shared::http::ApiError;
use uuid::Uuid;

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
