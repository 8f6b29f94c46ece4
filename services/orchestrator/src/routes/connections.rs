//! `/connections`.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder};
use contracts::{
    ConnectionPatch, ConnectionView, ErrorCode, HealAnswer, HealBody, OnboardRequest,
    OperationView, Problem, RollbackAnswer, RollbackBody, ScheduleType, SyncTriggered,
};
use serde::Deserialize;
use service_kit::{ApiError, Body, OptionalBody, conditions};
use shared::registry::connections::ConnectionFilter;
use shared::registry::entities::connection;
use shared::registry::now;
use shared::registry::status::ConnectionStatus;
use uuid::Uuid;

use super::{connection_id, operations, rows};
use crate::domain::view;
use crate::flows;
use crate::flows::delete::Deleted;
use crate::flows::onboard::Onboarded;
use crate::flows::update::Updated;
use crate::state::State;

/// Number of next runs shown.
const RUNS: usize = 3;

/// Creates a connection: credentials, source, schema, connection, version 1.
#[utoipa::path(
    post,
    path = "/connections/onboard",
    request_body = OnboardRequest,
    params(("Prefer" = Option<String>, Header, description = "`respond-async`: 202 as soon as the \
                                                              operation has started")),
    responses(
        (status = 201, body = ConnectionView),
        (status = 202, description = "the operation continues; `Location` names it", body = OperationView),
        (status = 200, description = "it was onboarded before with the same request", body = ConnectionView),
        (status = 409, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn onboard(
    state: Data<State>,
    request: HttpRequest,
    body: Body<OnboardRequest>,
) -> Result<impl Responder, ApiError> {
    let answer_early = conditions::prefers_async(&request);
    let flow = flows::onboard::run(state.get_ref().clone(), body.0, None, answer_early);
    Ok(match state.runtime.run(flow).await? {
        Onboarded::InProgress(operation) => operations::accepted(&state, operation).await?,
        Onboarded::New(row) => {
            let mut answer = HttpResponse::Created();
            answer.insert_header(("location", format!("/connections/{}", row.id)));
            shown(&state, &row, answer).await?
        }
        Onboarded::Existing(row) => shown(&state, &row, HttpResponse::Ok()).await?,
    })
}

/// A connection with its ETag and next runs.
async fn shown(
    state: &State,
    row: &connection::Model,
    mut answer: HttpResponseBuilder,
) -> Result<HttpResponse, ApiError> {
    let mut view = view::connection(row, state.airbyte.instance());
    let is_due = row.status == ConnectionStatus::Active;
    let newest = match view.schedule.kind {
        ScheduleType::Interval if is_due => state.registry.job_list(row.id, 1).await?.pop(),
        ScheduleType::Interval | ScheduleType::Cron | ScheduleType::Manual => None,
    };
    view.next_runs = view::next_runs(row, newest.as_ref(), now(), RUNS);
    Ok(answer
        .insert_header(conditions::etag(row.revision))
        .json(view))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only this status.
    status: Option<String>,
    /// Only this source type.
    source_type: Option<String>,
    /// Only this name.
    name: Option<String>,
    /// Maximum number of connections, up to 1,000; default: all.
    limit: Option<u64>,
    /// Cursor from the previous page's `Link` header.
    cursor: Option<Uuid>,
}

/// Lists connections, oldest first.
#[utoipa::path(
    get,
    path = "/connections",
    params(ListQuery),
    responses((status = 200, body = Vec<ConnectionView>), (status = 422, body = Problem))
)]
pub(crate) async fn list(
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::<ListQuery>::from_query(request.query_string())
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))?
        .into_inner();
    let filter = ConnectionFilter {
        status: rows::status(query.status.as_deref())?,
        source_type: query.source_type,
        name: query.name,
    };
    if let Some(limit) = query.limit {
        let (rows, mut answer) = rows::page(&state, &request, &filter, query.cursor, limit).await?;
        let page: Vec<_> = rows
            .iter()
            .map(|row| view::connection(row, state.airbyte.instance()))
            .collect();
        return Ok(answer.json(page));
    }
    rows::all(
        &state,
        filter,
        query.cursor,
        rows::Envelope::ARRAY,
        view::connection,
    )
    .await
}

/// Returns one connection.
#[utoipa::path(
    get,
    path = "/connections/{id}",
    responses((status = 200, body = ConnectionView), (status = 404, body = Problem))
)]
pub(crate) async fn get(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let row = state.connection(connection_id(&id)?).await?;
    shown(&state, &row, HttpResponse::Ok()).await
}

/// Changes name, schedule, drift policy or status.
#[utoipa::path(
    patch,
    path = "/connections/{id}",
    request_body = ConnectionPatch,
    params(("If-Match" = Option<String>, Header, description = "the ETag of the connection as it was read")),
    responses(
        (status = 200, body = ConnectionView),
        (status = 202, description = "Airbyte did not respond; the operation continues, and \
                                      `Location` names it", body = OperationView),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 412, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn patch(
    state: Data<State>,
    id: Path<String>,
    request: HttpRequest,
    body: Body<ConnectionPatch>,
) -> Result<impl Responder, ApiError> {
    let id = connection_id(&id)?;
    let revision = conditions::if_match(&request)?;
    let flow = flows::update::run(state.get_ref().clone(), id, body.0, revision);
    Ok(match state.runtime.run(flow).await? {
        Updated::Now(row) => shown(&state, &row, HttpResponse::Ok()).await?,
        Updated::InProgress(operation) => operations::accepted(&state, operation).await?,
    })
}

/// Deletes the connection and its Airbyte objects; the destination's data stays.
#[utoipa::path(
    delete,
    path = "/connections/{id}",
    params(
        ("If-Match" = Option<String>, Header, description = "the ETag of the connection as it was read"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: 202 as soon as the \
                                                           operation has started")
    ),
    responses(
        (status = 204, description = "the connection is deleted"),
        (status = 202, description = "Airbyte cannot be reached, or `Prefer: respond-async`; `Location` names the operation", body = OperationView),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 412, body = Problem)
    )
)]
pub(crate) async fn delete(
    state: Data<State>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = connection_id(&id)?;
    let revision = conditions::if_match(&request)?;
    let answer_early = conditions::prefers_async(&request);
    let flow = flows::delete::run(state.get_ref().clone(), id, revision, answer_early);
    Ok(match state.runtime.run(flow).await? {
        Deleted::Now => HttpResponse::NoContent().finish(),
        Deleted::InProgress(operation) => operations::accepted(&state, operation).await?,
    })
}

/// Starts a sync, or attaches to the running one.
#[utoipa::path(
    post,
    path = "/connections/{id}/sync",
    responses((status = 200, body = SyncTriggered), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn sync(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let id = connection_id(&id)?;
    let started = state
        .runtime
        .run(flows::sync::start(state.get_ref().clone(), id))
        .await?;
    Ok(Json(started))
}

/// Heals the connection; the drift-repair agent does the work.
#[utoipa::path(
    post,
    path = "/connections/{id}/heal",
    responses((status = 200, body = HealAnswer), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn heal(
    state: Data<State>,
    id: Path<String>,
    body: OptionalBody<HealBody>,
) -> Result<impl Responder, ApiError> {
    let id = connection_id(&id)?;
    let request = body.0.unwrap_or_default().of(id);
    let shared = state.get_ref().clone();
    let answer = state
        .runtime
        .run(async move {
            let answer = shared.drift_repair.heal(&request).await?;
            if answer.sync_operation_id.is_some() {
                shared.wake.notify_one();
            }
            Ok::<_, service_kit::service_client::Error>(answer)
        })
        .await?;
    Ok(Json(answer))
}

/// Rolls the connection back to an earlier catalog version; the drift-repair agent does the work.
#[utoipa::path(
    post,
    path = "/connections/{id}/rollback",
    request_body = RollbackBody,
    responses((status = 200, body = RollbackAnswer), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn rollback(
    state: Data<State>,
    id: Path<String>,
    body: Body<RollbackBody>,
) -> Result<impl Responder, ApiError> {
    let id = connection_id(&id)?;
    let request = body.0.of(id);
    let shared = state.get_ref().clone();
    let answer = state
        .runtime
        .run(async move { shared.drift_repair.rollback(&request).await })
        .await?;
    Ok(Json(answer))
}
