//! `/connections/{id}/catalogs`.

use actix_web::Responder;
use actix_web::web::{Data, Json, Path};
use contracts::{CatalogVersion, CatalogVersionDetail, ErrorCode, Problem};
use serde_json::value::RawValue;
use shared::http::ApiError;

use super::connection_id;
use crate::state::State;

/// The versions of a connection's catalog, newest first.
#[utoipa::path(
    get,
    path = "/connections/{id}/catalogs",
    responses((status = 200, body = Vec<CatalogVersion>), (status = 404, body = Problem))
)]
pub(crate) async fn list(state: Data<State>, id: Path<String>) -> Result<impl Responder, ApiError> {
    let row = state.connection(connection_id(&id)?).await?;
    let versions = state.registry.version_list(row.id).await?;
    let all: Vec<_> = versions
        .into_iter()
        .map(|version| CatalogVersion {
            version: version.number,
            origin: version.origin,
            fingerprint: version.fingerprint,
            created_at: version.created_at,
        })
        .collect();
    Ok(Json(all))
}

/// One version with its catalog.
#[utoipa::path(
    get,
    path = "/connections/{id}/catalogs/{version}",
    responses((status = 200, body = CatalogVersionDetail), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<impl Responder, ApiError> {
    let (id, number) = path.into_inner();
    let row = state.connection(connection_id(&id)?).await?;
    let unknown = || {
        ApiError::new(
            ErrorCode::VersionNotFound,
            format!(
                "no version `{number}`; the newest is {}",
                row.current_version
            ),
        )
    };
    let number: i32 = number.parse().map_err(|_| unknown())?;
    let version = state
        .registry
        .version_get(row.id, number)
        .await?
        .ok_or_else(unknown)?;
    let sync_catalog = RawValue::from_string(version.document)
        .map_err(|error| ApiError::caused(ErrorCode::Internal, &error))?;
    Ok(Json(CatalogVersionDetail {
        version: version.summary.number,
        origin: version.summary.origin,
        fingerprint: version.summary.fingerprint,
        created_at: version.summary.created_at,
        sync_catalog,
    }))
}
