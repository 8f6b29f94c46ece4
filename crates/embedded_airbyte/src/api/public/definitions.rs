//! `/workspaces/{id}/definitions/…` and `/connector_definitions`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared, body, id};
use crate::custom_definitions::{DefinitionChange, NewDefinition};
use crate::definitions::Definition;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::options::ConnectorKind;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    let all = "/workspaces/{id}/definitions/{kind}";
    let one = format!("{all}/{{definition}}");
    routes
        .get(all, BEARER, list)
        .post(all, BEARER, create)
        .get(&one, BEARER, get)
        .put(&one, BEARER, put)
        .delete(&one, BEARER, delete)
        .get("/connector_definitions", BEARER, every);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: String,
    docker_repository: String,
    docker_image_tag: String,
    documentation_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    name: String,
    docker_image_tag: String,
}

fn kind(word: &str) -> Result<ConnectorKind, Fault> {
    match word {
        "sources" | "source" => Ok(ConnectorKind::Source),
        "destinations" | "destination" => Ok(ConnectorKind::Destination),
        other => Err(Fault::not_found("definition kind", other)),
    }
}

fn view(definition: &Definition) -> Value {
    json!({
        "id": definition.id,
        "name": definition.name,
        "dockerRepository": definition.docker_repository,
        "dockerImageTag": definition.version,
        "documentationUrl": definition.documentation_url(),
    })
}

/// Definitions that a workspace may use; manifests have a separate list.
fn usable(engine: &Engine, kind: ConnectorKind, workspace: Uuid) -> Vec<Arc<Definition>> {
    let mut all = engine.definitions.list(kind);
    all.retain(|known| known.usable_in(workspace) && known.manifest().is_none());
    all
}

/// The definition that a path names.
async fn find(engine: &Engine, path: (String, String, String)) -> Result<Arc<Definition>, Fault> {
    let (workspace, word, definition) = path;
    let workspace = engine.workspace(id(&workspace)?).await?.id;
    let id = id(&definition)?;
    let found = engine.definition_of(kind(&word)?, workspace, id)?;
    match found.manifest() {
        None => Ok(found),
        Some(_) => Err(Fault::not_found("connector definition", id)),
    }
}

async fn list(engine: Shared, path: web::Path<(String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, word) = path.into_inner();
        let workspace = engine.workspace(id(&workspace)?).await?.id;
        let usable = usable(&engine, kind(&word)?, workspace);
        let data: Vec<Value> = usable.iter().map(|definition| view(definition)).collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}

async fn create(
    engine: Shared,
    path: web::Path<(String, String)>,
    bytes: web::Bytes,
) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, word) = path.into_inner();
        let (workspace_id, kind) = (id(&workspace)?, kind(&word)?);
        let new: Create = body(&bytes)?;
        let made = engine
            .definition_create(NewDefinition {
                kind,
                workspace_id,
                name: new.name,
                docker_repository: new.docker_repository,
                docker_image_tag: new.docker_image_tag,
                documentation_url: new.documentation_url,
                manifest: None,
            })
            .await?;
        Ok(Reply::json(&view(&made)))
    })
    .await
}

async fn get(engine: Shared, path: web::Path<(String, String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let definition = find(&engine, path.into_inner()).await?;
        Ok(Reply::json(&view(&definition)))
    })
    .await
}

async fn put(
    engine: Shared,
    path: web::Path<(String, String, String)>,
    bytes: web::Bytes,
) -> HttpResponse {
    answer(engine, |engine| async move {
        let sent: Put = body(&bytes)?;
        let known = find(&engine, path.into_inner()).await?;
        let change = DefinitionChange {
            name: Some(sent.name),
            docker_image_tag: Some(sent.docker_image_tag),
            manifest: None,
        };
        let changed = engine.definition_update(&known, change).await?;
        Ok(Reply::json(&view(&changed)))
    })
    .await
}

async fn delete(engine: Shared, path: web::Path<(String, String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let known = find(&engine, path.into_inner()).await?;
        engine.definition_delete(&known).await?;
        Ok(Reply::json(&view(&known)))
    })
    .await
}

async fn every(engine: Shared, request: HttpRequest) -> HttpResponse {
    let query = Query::of(&request);
    answer(engine, |engine| async move {
        let word = query.one("type").unwrap_or_default();
        let kind = match word {
            "source" | "destination" => kind(word)?,
            _ => {
                return Err(Fault::Constraint(
                    "type must be source or destination".into(),
                ));
            }
        };
        let workspace = match query.id("workspaceId")? {
            Some(id) => Some(engine.workspace(id).await?.id),
            None => None,
        };
        let data: Vec<Value> = engine
            .definitions
            .list(kind)
            .iter()
            .filter(|known| match workspace {
                Some(workspace) => known.usable_in(workspace),
                None => known.custom.is_none(),
            })
            .map(|known| {
                json!({
                    "id": known.id,
                    "name": known.name,
                    "connectorDefinitionType": kind.as_str(),
                    "version": known.version,
                })
            })
            .collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}
