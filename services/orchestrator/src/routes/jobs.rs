//! `/connections/{id}/jobs` and `/jobs`.

use actix_web::http::header::ContentEncoding;
use actix_web::web::{Bytes, Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder};
use contracts::{ErrorCode, JobView, Problem};
use futures::stream;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};
use service_kit::ApiError;

use super::connection_id;
use crate::domain::view;
use crate::flows;
use crate::flows::jobs::LogReader;
use crate::state::State;

const LIMIT: u64 = 1000;

/// Lists the newest 1,000 jobs of a connection, newest first.
#[utoipa::path(
    get,
    path = "/connections/{id}/jobs",
    responses((status = 200, body = Vec<JobView>), (status = 404, body = Problem))
)]
pub(crate) async fn list(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let row = state.connection(connection_id(&id)?).await?;
    let jobs = state.registry.job_list(row.id, LIMIT).await?;
    Ok(Json(jobs.iter().map(view::job).collect::<Vec<_>>()))
}

/// Returns one job.
#[utoipa::path(
    get,
    path = "/jobs/{job_id}",
    responses((status = 200, body = JobView), (status = 404, body = Problem))
)]
pub(crate) async fn get(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let job = flows::jobs::get(&state, &id).await?;
    Ok(Json(view::job(&job)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    /// Follows the log until the job ends. Without a value it is `true`.
    #[serde(default, deserialize_with = "flag")]
    follow: bool,
}

/// A flag in a query: `true`, `false`, or present without a value.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(D::Error::invalid_value(
            Unexpected::Str(&text),
            &"`true` or `false`",
        )),
    }
}

/// Returns the log of a job's attempts, as lines of text.
#[utoipa::path(
    get,
    path = "/jobs/{job_id}/logs",
    params(LogQuery),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = Problem),
        (status = 502, body = Problem)
    )
)]
pub(crate) async fn logs(
    state: Data<State>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::<LogQuery>::from_query(request.query_string())
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))?
        .into_inner();
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/plain; charset=utf-8");
    if !query.follow {
        return Ok(answer.body(flows::jobs::logs(&state, &id).await?));
    }
    // Errors are returned before the first line is sent.
    let row = flows::jobs::get(&state, &id).await?;
    state.own_connection(row.connection_id).await?;
    let reader = LogReader::new(state.get_ref().clone(), id.into_inner());
    let lines = stream::unfold(reader, async |mut reader| {
        let lines = reader.next().await?;
        Some((Ok::<_, ApiError>(Bytes::from(lines)), reader))
    });
    Ok(answer
        // With compression, a line would wait for the next ones to fill a block.
        .insert_header(ContentEncoding::Identity)
        .streaming(lines))
}

/// Cancels a job: 200 with the job after it has ended, which may be in another state than
/// cancelled; 202 if it has not stopped within a minute.
#[utoipa::path(
    post,
    path = "/jobs/{job_id}/cancel",
    responses(
        (status = 200, body = JobView),
        (status = 202, description = "cancellation was requested, but the job has not stopped yet", body = JobView),
        (status = 404, body = Problem),
        (status = 409, description = "another job is running; nothing was canceled", body = Problem)
    )
)]
pub(crate) async fn cancel(state: Data<State>, id: Path<String>) -> Result<HttpResponse, ApiError> {
    let flow = flows::jobs::cancel(state.get_ref().clone(), id.into_inner());
    let row = state.runtime.run(flow).await?;
    Ok(if row.status.is_final() {
        HttpResponse::Ok().json(view::job(&row))
    } else {
        HttpResponse::Accepted().json(view::job(&row))
    })
}
