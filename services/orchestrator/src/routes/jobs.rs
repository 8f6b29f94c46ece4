//! `/connections/{id}/jobs` and `/jobs`.

use actix_web::Responder;
use actix_web::web::{Data, Json, Path};
use contracts::{ErrorCode, JobView, Problem};
use shared::http::ApiError;

use super::connection_id;
use crate::domain::view;
use crate::state::State;

const LIMIT: u64 = 1000;

/// The newest 1,000 jobs of a connection, newest first.
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

/// One job.
#[utoipa::path(
    get,
    path = "/jobs/{job_id}",
    responses((status = 200, body = JobView), (status = 404, body = Problem))
)]
pub(crate) async fn get(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let job = state.registry.job_get(&id).await?.ok_or_else(|| {
        ApiError::new(
            ErrorCode::JobNotFound,
            format!("no job `{id}` of a connection of AAM's"),
        )
    })?;
    Ok(Json(view::job(&job)))
}
