//! `/workspaces/{id}/definitions/declarative_sources`: connectors that are a manifest.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, LARGE, Policy};
use crate::api::{Reply, Shared, body, id};
use crate::custom_definitions::{DefinitionChange, NewDefinition};
use crate::definitions::Definition;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::options::ConnectorKind;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    let all = "/workspaces/{id}/definitions/declarative_sources";
    let one = format!("{all}/{{definition}}");
    routes
        .get(all, BEARER, list)
        .post(all, LARGE, create)
        .get(&one, BEARER, get)
        .put(&one, LARGE, put)
        .delete(&one, BEARER, delete);
}

// The document also requires a `workspaceId` that it does not define; the path names it.
#[derive(Deserialize)]
struct Create {
    name: String,
    manifest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Put {
    manifest: Map<String, Value>,
}

fn view(definition: &Definition) -> Value {
    let manifest = definition.manifest();
    json!({
        "id": definition.id,
        "name": definition.name,
        "manifest": manifest.map(|manifest| &manifest.content),
        "version": manifest.map(|manifest| manifest.version),
    })
}

/// A declarative source of the workspace.
fn find(
    engine: &Engine,
    workspace: Uuid,
    definition: &str,
) -> Result<std::sync::Arc<Definition>, Fault> {
    let id = id(definition)?;
    let found = engine.definition_of(ConnectorKind::Source, workspace, id)?;
    match found.manifest() {
        Some(_) => Ok(found),
        None => Err(Fault::not_found("declarative source definition", id)),
    }
}

async fn list(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        let workspace = engine.workspace(id(&path)?).await?.id;
        let all = engine.definitions.list(ConnectorKind::Source);
        let data: Vec<Value> = all
            .iter()
            .filter(|known| known.manifest().is_some() && known.usable_in(workspace))
            .map(|known| view(known))
            .collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}

async fn create(engine: Shared, path: web::Path<String>, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let workspace = id(&path)?;
        let new: Create = body(&bytes)?;
        let new = NewDefinition::declarative(workspace, new.name, Value::Object(new.manifest));
        Ok(Reply::json(&view(&*engine.definition_create(new).await?)))
    })
    .await
}

async fn get(engine: Shared, path: web::Path<(String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, definition) = path.into_inner();
        let workspace = engine.workspace(id(&workspace)?).await?.id;
        Ok(Reply::json(&view(&*find(&engine, workspace, &definition)?)))
    })
    .await
}

async fn put(engine: Shared, path: web::Path<(String, String)>, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, definition) = path.into_inner();
        let workspace = engine.workspace(id(&workspace)?).await?.id;
        let sent: Put = body(&bytes)?;
        let known = find(&engine, workspace, &definition)?;
        let change = DefinitionChange {
            manifest: Some(Value::Object(sent.manifest)),
            ..DefinitionChange::default()
        };
        let changed = engine.definition_update(&known, change).await?;
        Ok(Reply::json(&view(&changed)))
    })
    .await
}

async fn delete(engine: Shared, path: web::Path<(String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, definition) = path.into_inner();
        let workspace = engine.workspace(id(&workspace)?).await?.id;
        let known = find(&engine, workspace, &definition)?;
        engine.definition_delete(&known).await?;
        Ok(Reply::json(&view(&known)))
    })
    .await
}
