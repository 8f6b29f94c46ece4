//! `/operations`.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, Responder};
use contracts::{ErrorCode, OperationView, Problem};
use serde::Deserialize;
use service_kit::ApiError;
use shared::registry::status::OperationStatus;
use uuid::Uuid;

use super::connection_id;
use crate::domain::view;
use crate::state::State;

/// Returns one operation with its steps.
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

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenQuery {
    /// Only these states, separated by commas: `pending`, `running`, `settling`; default: all
    /// three.
    status: Option<String>,
}

/// Lists unfinished operations, oldest first, without their steps, including those that concern no
/// connection.
#[utoipa::path(
    get,
    path = "/operations",
    params(OpenQuery),
    responses((status = 200, body = Vec<OperationView>), (status = 422, body = Problem))
)]
pub(crate) async fn open(
    state: Data<State>,
    query: Query<OpenQuery>,
) -> Result<impl Responder, ApiError> {
    let all = [
        OperationStatus::Pending,
        OperationStatus::Running,
        OperationStatus::Settling,
    ];
    let wanted = match &query.status {
        None => all.to_vec(),
        Some(text) => text
            .split(',')
            .map(|word| {
                let known = all
                    .into_iter()
                    .find(|status| status.as_str() == word.trim());
                known.ok_or_else(|| {
                    ApiError::invalid(
                        "status",
                        "takes pending, running, settling, separated by commas",
                    )
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let mut rows = state.registry.operation_list_in(&wanted).await?;
    rows.sort_by_key(|row| row.created_at);
    let shown: Vec<_> = rows.iter().map(|row| view::operation(row, &[])).collect();
    Ok(Json(shown))
}

/// Lists the operations of a connection, newest first, without their steps.
#[utoipa::path(
    get,
    path = "/connections/{id}/operations",
    responses((status = 200, body = Vec<OperationView>), (status = 404, body = Problem))
)]
pub(crate) async fn list(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let id = connection_id(&id)?;
    let rows = state.registry.operation_list(id).await?;
    if rows.is_empty() {
        // Unknown, not merely without operations: every connection starts with an onboarding.
        state.connection(id).await?;
    }
    let all: Vec<_> = rows.iter().map(|row| view::operation(row, &[])).collect();
    Ok(Json(all))
}

/// A 202 for an operation that continues in the background.
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
