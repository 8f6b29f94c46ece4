//! `/ingestion`.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use contracts::{
    ErrorCode, Ingestion, IngestionPatch, IngestionStatus, IngestionTriggered, Ingestions,
    NewIngestion, OperationView, Problem,
};
use serde::Deserialize;
use service_kit::{ApiError, conditions};
use shared::registry::connections::ConnectionFilter;
use shared::registry::entities::connection;
use uuid::Uuid;

use super::super::{connection_id, connections, operations, rows};
use super::{Members, read};
use crate::domain::ingestion::{self, new_ingestion};
use crate::flows;
use crate::flows::onboard::Onboarded;
use crate::flows::update::Updated;
use crate::state::State;

/// Creates an ingestion: schema, connection, version 1.
#[utoipa::path(
    post,
    path = "/ingestion",
    tag = "ingestion",
    operation_id = "ingestion_create",
    request_body = NewIngestion,
    params(("Prefer" = Option<String>, Header, description = "`respond-async`: 202 as soon as the \
                                                              operation has started")),
    responses(
        (status = 201, body = Ingestion),
        (status = 202, description = "the operation continues; `Location` names it", body = OperationView),
        (status = 200, description = "it was created before with the same request", body = Ingestion),
        (status = 409, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn create(
    state: Data<State>,
    request: HttpRequest,
    body: Members,
) -> Result<HttpResponse, ApiError> {
    let new = read(new_ingestion(body.0))?;
    let answer_early = conditions::prefers_async(&request);
    let flow = flows::ingestion::create(state.get_ref().clone(), new, answer_early);
    Ok(match state.runtime.run(flow).await? {
        Onboarded::InProgress(operation) => operations::accepted(&state, operation).await?,
        Onboarded::New(row) => {
            let mut answer = HttpResponse::Created();
            answer.insert_header(("location", format!("{}/{}", request.path(), row.id)));
            shown(&row, answer)
        }
        Onboarded::Existing(row) => shown(&row, HttpResponse::Ok()),
    })
}

/// An ingestion with its ETag.
fn shown(row: &connection::Model, mut answer: HttpResponseBuilder) -> HttpResponse {
    answer
        .insert_header(conditions::etag(row.revision))
        .json(ingestion::view(row))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this status.
    status: Option<String>,
    /// Only this name.
    name: Option<String>,
    /// Maximum number of ingestions, up to 1,000; default: all.
    limit: Option<u64>,
    /// Cursor from the previous page's `Link` header.
    cursor: Option<Uuid>,
}

/// Lists ingestions, oldest first; every connection is an ingestion.
#[utoipa::path(
    get,
    path = "/ingestion",
    tag = "ingestion",
    operation_id = "ingestion_list",
    params(ListQuery),
    responses((status = 200, body = Ingestions), (status = 422, body = Problem))
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
        source_type: None,
        name: query.name,
    };
    let total = state.registry.connection_count(&filter).await?;
    let Some(limit) = query.limit else {
        let envelope = rows::Envelope {
            before: format!("{{\"total\":{total},\"connections\":"),
            after: "}",
        };
        let show = |row: &connection::Model, _: &str| ingestion::view(row);
        return rows::all(&state, filter, query.cursor, envelope, show).await;
    };
    let (page, mut answer) = rows::page(&state, &request, &filter, query.cursor, limit).await?;
    Ok(answer.json(Ingestions {
        connections: page.iter().map(ingestion::view).collect(),
        total,
    }))
}

/// Returns one ingestion.
#[utoipa::path(
    get,
    path = "/ingestion/{connectionId}",
    tag = "ingestion",
    operation_id = "ingestion_get",
    responses((status = 200, body = Ingestion), (status = 404, body = Problem))
)]
pub(crate) async fn get(state: Data<State>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    let row = state.connection(connection_id(&id)?).await?;
    Ok(shown(&row, HttpResponse::Ok()))
}

/// Changes name, schedule or status.
#[utoipa::path(
    patch,
    path = "/ingestion/{connectionId}",
    tag = "ingestion",
    operation_id = "ingestion_patch",
    request_body = IngestionPatch,
    params(("If-Match" = Option<String>, Header, description = "the ETag of the ingestion as it was read")),
    responses(
        (status = 200, body = Ingestion),
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
    body: Members,
) -> Result<HttpResponse, ApiError> {
    let id = connection_id(&id)?;
    let revision = conditions::if_match(&request)?;
    let patch = read(ingestion::patch(body.0))?;
    let flow = flows::ingestion::patch(state.get_ref().clone(), id, patch, revision);
    Ok(match state.runtime.run(flow).await? {
        Updated::Now(row) => shown(&row, HttpResponse::Ok()),
        Updated::InProgress(operation) => operations::accepted(&state, operation).await?,
    })
}

/// Deletes the ingestion; its datasource, its sink and the synced data stay.
#[utoipa::path(
    delete,
    path = "/ingestion/{connectionId}",
    tag = "ingestion",
    operation_id = "ingestion_delete",
    params(
        ("If-Match" = Option<String>, Header, description = "the ETag of the ingestion as it was read"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: 202 as soon as the \
                                                           operation has started")
    ),
    responses(
        (status = 204, description = "the ingestion is deleted"),
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
    connections::delete(state, id, request).await
}

/// Starts a sync, or attaches to the running one.
#[utoipa::path(
    post,
    path = "/ingestion/{connectionId}/sync",
    tag = "ingestion",
    operation_id = "ingestion_sync",
    responses((status = 200, body = IngestionTriggered), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn sync(state: Data<State>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    let id = connection_id(&id)?;
    let flow = flows::sync::start(state.get_ref().clone(), id);
    let started = state.runtime.run(flow).await?;
    Ok(HttpResponse::Ok().json(IngestionTriggered {
        connection_id: started.connection_id,
        job_id: started.job_id,
        status: started.status,
        message: started.message,
    }))
}

/// Returns the status of an ingestion: its last sync, its next one, its newest job.
#[utoipa::path(
    get,
    path = "/ingestion/{connectionId}/status",
    tag = "ingestion",
    operation_id = "ingestion_status",
    responses((status = 200, body = IngestionStatus), (status = 404, body = Problem))
)]
pub(crate) async fn status(state: Data<State>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    let id = connection_id(&id)?;
    let flow = flows::ingestion::status(state.get_ref().clone(), id);
    Ok(HttpResponse::Ok().json(state.runtime.run(flow).await?))
}
