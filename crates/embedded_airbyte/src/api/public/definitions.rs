//! `/workspaces/{id}/definitions/…` and `/connector_definitions`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::answer;
use crate::api::{Query, Reply, Shared, id};
use crate::definitions::Definition;
use crate::fault::Fault;
use crate::options::ConnectorKind;

pub(super) fn configure(services: &mut web::ServiceConfig) {
    services
        .route("/workspaces/{id}/definitions/{kind}", web::get().to(list))
        .route(
            "/workspaces/{id}/definitions/{kind}/{definition}",
            web::get().to(get),
        )
        .route("/connector_definitions", web::get().to(all));
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

async fn list(engine: Shared, path: web::Path<(String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, word) = path.into_inner();
        engine.workspace(id(&workspace)?).await?;
        let definitions = engine.definitions.list(kind(&word)?);
        let data: Vec<Value> = definitions.map(|definition| view(definition)).collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}

async fn get(engine: Shared, path: web::Path<(String, String, String)>) -> HttpResponse {
    answer(engine, |engine| async move {
        let (workspace, word, definition) = path.into_inner();
        engine.workspace(id(&workspace)?).await?;
        let definition = engine.definitions.get(kind(&word)?, id(&definition)?)?;
        Ok(Reply::json(&view(&definition)))
    })
    .await
}

async fn all(engine: Shared, request: HttpRequest) -> HttpResponse {
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
        let data: Vec<Value> = engine
            .definitions
            .list(kind)
            .map(|definition| {
                json!({
                    "id": definition.id,
                    "name": definition.name,
                    "connectorDefinitionType": kind.as_str(),
                    "version": definition.version,
                })
            })
            .collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}
