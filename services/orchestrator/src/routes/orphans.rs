//! `/orphans`.

use actix_web::Responder;
use actix_web::web::{Data, Json, Query};
use contracts::{Orphan, Problem};
use serde::Deserialize;
use service_kit::ApiError;

use crate::flows;
use crate::flows::late_creates::SETTLING;
use crate::state::State;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrphanQuery {
    /// Only objects older than this, in seconds; default: 900, after which no late object can
    /// appear.
    older_than: Option<u32>,
}

impl OrphanQuery {
    fn seconds(&self) -> i64 {
        self.older_than.map_or(SETTLING.num_seconds(), i64::from)
    }
}

/// Lists Airbyte objects with this installation's ownership tag that belong to no connection and no
/// operation.
#[utoipa::path(
    get,
    path = "/orphans",
    params(OrphanQuery),
    responses((status = 200, body = Vec<Orphan>), (status = 503, body = Problem))
)]
pub(crate) async fn list(
    state: Data<State>,
    query: Query<OrphanQuery>,
) -> Result<impl Responder, ApiError> {
    let (flows, age) = (state.get_ref().clone(), query.seconds());
    let listed = state
        .runtime
        .run(async move { flows::orphans::list(&flows, age).await })
        .await?;
    Ok(Json(listed))
}

/// Deletes them; returns what was deleted.
#[utoipa::path(
    delete,
    path = "/orphans",
    params(OrphanQuery),
    responses((status = 200, body = Vec<Orphan>), (status = 503, body = Problem))
)]
pub(crate) async fn delete(
    state: Data<State>,
    query: Query<OrphanQuery>,
) -> Result<impl Responder, ApiError> {
    let flow = flows::orphans::remove(state.get_ref().clone(), query.seconds());
    Ok(Json(state.runtime.run(flow).await?))
}
