//! `/datasource` and `/sink`: the same endpoints for both, with each API's terms.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use contracts::{
    ConnectorTypes, Datasource, DatasourceItem, Datasources, ErrorCode, NewEndpoint, OperationView,
    Problem, Sink, SinkItem, Sinks,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service_kit::ApiError;
use shared::airbyte::ActorKind;
use uuid::Uuid;

use super::super::operations;
use super::{Members, read};
use crate::domain::ingestion::new_endpoint;
use crate::flows::actors::read::{Filter, TypesFilter};
use crate::flows::actors::{self, Shown};
use crate::flows::delete::Deleted;
use crate::state::State;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CreateQuery {
    /// `false` creates it without the connector's check.
    check: Option<bool>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those of this connector.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only those with this name.
    name: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TypesQuery {
    /// Only this connector.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// In this workspace, by id or name.
    workspace: Option<String>,
    /// `true`, with `type`: includes the connector's own JSON schema, which Airbyte may have to
    /// request from the connector.
    schema: Option<bool>,
}

fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    Query::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))
}

async fn create(
    state: &State,
    kind: ActorKind,
    request: &HttpRequest,
    body: Members,
) -> Result<Shown, ApiError> {
    let query: CreateQuery = query(request)?;
    let new = read(new_endpoint(body.0))?;
    let check = query.check.unwrap_or(true);
    let flow = actors::create::run(state.clone(), kind, new, check);
    state.runtime.run(flow).await
}

async fn list(
    state: &State,
    kind: ActorKind,
    request: &HttpRequest,
) -> Result<Vec<Shown>, ApiError> {
    let query: ListQuery = query(request)?;
    let filter = Filter {
        kind: query.kind,
        name: query.name,
    };
    let flow = actors::read::list(state.clone(), kind, filter);
    state.runtime.run(flow).await
}

fn id(kind: ActorKind, text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| actors::read::not_found(kind, text).into())
}

async fn get(state: &State, kind: ActorKind, text: &str) -> Result<Shown, ApiError> {
    let flow = actors::read::get(state.clone(), kind, id(kind, text)?);
    state.runtime.run(flow).await
}

async fn delete(state: &State, kind: ActorKind, text: &str) -> Result<HttpResponse, ApiError> {
    let flow = actors::delete::run(state.clone(), kind, id(kind, text)?);
    match state.runtime.run(flow).await? {
        Deleted::Now => Ok(HttpResponse::NoContent().finish()),
        Deleted::InProgress(operation) => operations::accepted(state, operation).await,
    }
}

async fn types(
    state: &State,
    kind: ActorKind,
    request: &HttpRequest,
) -> Result<ConnectorTypes, ApiError> {
    let query: TypesQuery = query(request)?;
    let filter = TypesFilter {
        kind: query.kind,
        workspace: query.workspace,
        schema: query.schema.unwrap_or(false),
    };
    let flow = actors::read::types(state.clone(), kind, filter);
    let types = state.runtime.run(flow).await?;
    Ok(ConnectorTypes {
        total: types.len(),
        types,
    })
}

fn created(request: &HttpRequest, shown: &Shown, body: impl serde::Serialize) -> HttpResponse {
    let location = format!("{}/{}", request.path(), shown.id);
    HttpResponse::Created()
        .insert_header(("location", location))
        .json(body)
}

impl From<Shown> for Datasource {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id,
            source_id: shown.id,
            name: shown.name,
            kind: shown.kind,
            config: shown.config,
            source_name: shown.title,
            workspace_id: shown.workspace_id,
        }
    }
}

impl From<Shown> for DatasourceItem {
    fn from(shown: Shown) -> Self {
        Self {
            source_id: shown.id,
            name: shown.name,
            source_name: shown.title,
            kind: shown.kind,
            workspace_id: shown.workspace_id,
        }
    }
}

impl From<Shown> for Sink {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id,
            destination_id: shown.id,
            name: shown.name,
            kind: shown.kind,
            config: shown.config,
            destination_name: shown.title,
            workspace_id: shown.workspace_id,
        }
    }
}

impl From<Shown> for SinkItem {
    fn from(shown: Shown) -> Self {
        Self {
            destination_id: shown.id,
            name: shown.name,
            destination_name: shown.title,
            kind: shown.kind,
            workspace_id: shown.workspace_id,
        }
    }
}

macro_rules! endpoint {
    ($module:ident, $kind:ident, $base:literal, $one:literal, $types:literal, $View:ident, $List:ident, $member:ident, $what:literal) => {
        #[doc = concat!("`", $base, "`.")]
        pub(crate) mod $module {
            use super::*;

            #[doc = concat!("Creates a ", $what, ": its connector checks it before the response, \
                                                  unless `?check=false`.")]
            #[utoipa::path(
                post,
                path = $base,
                tag = "ingestion",
                operation_id = concat!($what, "_create"),
                request_body = NewEndpoint,
                params(CreateQuery),
                responses((status = 201, body = $View), (status = 422, body = Problem))
            )]
            pub(crate) async fn create(
                state: Data<State>,
                request: HttpRequest,
                body: Members,
            ) -> Result<HttpResponse, ApiError> {
                let shown = super::create(&state, ActorKind::$kind, &request, body).await?;
                Ok(created(&request, &shown, $View::from(shown.clone())))
            }

            #[doc = concat!("Every ", $what, " of the configured workspace, or of all workspaces.")]
            #[utoipa::path(
                get,
                path = $base,
                tag = "ingestion",
                operation_id = concat!($what, "_list"),
                params(ListQuery),
                responses((status = 200, body = $List))
            )]
            pub(crate) async fn list(
                state: Data<State>,
                request: HttpRequest,
            ) -> Result<HttpResponse, ApiError> {
                let listed = super::list(&state, ActorKind::$kind, &request).await?;
                Ok(HttpResponse::Ok().json($List {
                    total: listed.len(),
                    $member: listed.into_iter().map(Into::into).collect(),
                }))
            }

            #[doc = concat!("One ", $what, ", with its configuration and masked secrets.")]
            #[utoipa::path(
                get,
                path = $one,
                tag = "ingestion",
                operation_id = concat!($what, "_get"),
                responses((status = 200, body = $View), (status = 404, body = Problem))
            )]
            pub(crate) async fn get(
                state: Data<State>,
                id: Path<String>,
            ) -> Result<HttpResponse, ApiError> {
                let shown = super::get(&state, ActorKind::$kind, &id).await?;
                Ok(HttpResponse::Ok().json($View::from(shown)))
            }

            #[doc = concat!("Deletes a ", $what, " that no ingestion uses.")]
            #[utoipa::path(
                delete,
                path = $one,
                tag = "ingestion",
                operation_id = concat!($what, "_delete"),
                responses(
                    (status = 204, description = "it is deleted"),
                    (status = 202, description = "Airbyte did not respond; the operation \
                                                  continues, and `Location` names it", body = OperationView),
                    (status = 404, body = Problem),
                    (status = 409, description = "ingestions use it; `ingestions` names them", body = Problem)
                )
            )]
            pub(crate) async fn delete(
                state: Data<State>,
                id: Path<String>,
            ) -> Result<HttpResponse, ApiError> {
                super::delete(&state, ActorKind::$kind, &id).await
            }

            #[doc = concat!("The connectors that a ", $what, " can use, with their configuration \
                                                              fields.")]
            #[utoipa::path(
                get,
                path = $types,
                tag = "ingestion",
                operation_id = concat!($what, "_types"),
                params(TypesQuery),
                responses((status = 200, body = ConnectorTypes), (status = 422, body = Problem))
            )]
            pub(crate) async fn types(
                state: Data<State>,
                request: HttpRequest,
            ) -> Result<HttpResponse, ApiError> {
                let types = super::types(&state, ActorKind::$kind, &request).await?;
                Ok(HttpResponse::Ok().json(types))
            }
        }
    };
}

endpoint!(
    datasource,
    Source,
    "/datasource",
    "/datasource/{id}",
    "/datasource/types",
    Datasource,
    Datasources,
    sources,
    "datasource"
);
endpoint!(
    sink,
    Destination,
    "/sink",
    "/sink/{id}",
    "/sink/types",
    Sink,
    Sinks,
    destinations,
    "sink"
);
