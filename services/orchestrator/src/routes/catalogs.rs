//! `/connections/{id}/catalogs`.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder};
use catalog::plan::Style;
use contracts::{
    CatalogComparison, CatalogVersion, CatalogVersionDetail, ErrorCode, FieldError, Problem,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use service_kit::ApiError;

use super::connection_id;
use crate::flows;
use crate::state::State;

/// Lists the versions of a connection's catalog, newest first.
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

/// Returns one version with its catalog.
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

/// The versions to compare, and the output format.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// The old version; default: the one before `to`.
    #[param(value_type = Option<i32>)]
    from: Option<String>,
    /// The new version; default: the current one.
    #[param(value_type = Option<i32>)]
    to: Option<String>,
    /// `json`, or one part of it: `text`, `markdown` or `airbyte`; default: `json`.
    format: Option<String>,
}

/// Compares two versions of a connection.
#[utoipa::path(
    get,
    path = "/connections/{id}/catalogs/diff",
    params(DiffQuery),
    responses(
        (status = 200, body = CatalogComparison),
        (status = 404, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn diff(
    state: Data<State>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = connection_id(&id)?;
    let query = Query::<DiffQuery>::from_query(request.query_string())
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))?
        .into_inner();
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: &str| {
        faults.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    };
    let mut number = |field: &str, text: Option<&str>| {
        let number = text.map(str::parse::<i32>);
        match number {
            None => None,
            Some(Ok(number)) if number >= 1 => Some(number),
            Some(_) => {
                fault(field, "must be the number of a version, from 1");
                None
            }
        }
    };
    let from = number("from", query.from.as_deref());
    let to = number("to", query.to.as_deref());
    let format = query.format.as_deref().unwrap_or("json");
    if !["json", "text", "markdown", "airbyte"].contains(&format) {
        fault("format", "must be json, text, markdown or airbyte");
    }
    if !faults.is_empty() {
        return Err(ApiError::of_fields(ErrorCode::Invalid, faults));
    }
    let flow = flows::compare::run(state.get_ref().clone(), id, from, to);
    let compared = state.runtime.run(flow).await?;
    let mut response = HttpResponse::Ok();
    Ok(match format {
        "airbyte" => response.json(compared.airbyte),
        "text" => response
            .content_type("text/plain; charset=utf-8")
            .body(compared.text),
        "markdown" => response
            .content_type("text/markdown; charset=utf-8")
            .body(compared.comparison().to_text_in(Style::Markdown)),
        _ => response.json(compared),
    })
}
