//! Sources, destinations and their definitions, made, listed, changed and deleted by the Config API.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::actors::{ActorId, definition_view};
use super::answer;
use super::connection_views::actor_read;
use super::connections::ConnectionId;
use crate::actors::{ActorChange, NewActor, Page};
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::options::ConnectorKind;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes.post("/connections/delete", BEARER, delete_connection);
    for kind in [ConnectorKind::Source, ConnectorKind::Destination] {
        let word = kind.as_str();
        let at = |verb: &str| format!("/{word}s/{verb}");
        routes
            .post(&at("list"), BEARER, move |e, b| list(kind, e, b))
            .post(&at("create"), BEARER.making_something(), move |e, b| {
                create(kind, e, b)
            })
            .post(&at("update"), BEARER, move |e, b| update(kind, e, b))
            .post(&at("delete"), BEARER, move |e, b| delete(kind, e, b))
            .post(&format!("/{word}_definitions/list"), BEARER, move |e| {
                definitions(kind, e)
            })
            .post(&format!("/{word}_definitions/get"), BEARER, move |e, b| {
                definition(kind, e, b)
            });
    }
    // That of sources is beside their discover.
    routes.post("/destinations/get", BEARER, get_destination);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfWorkspace {
    workspace_id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: String,
    workspace_id: Uuid,
    connection_configuration: Map<String, Value>,
    #[serde(alias = "sourceDefinitionId", alias = "destinationDefinitionId")]
    definition_id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    #[serde(alias = "sourceId", alias = "destinationId")]
    id: Uuid,
    name: Option<String>,
    connection_configuration: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct DefinitionId {
    #[serde(alias = "sourceDefinitionId", alias = "destinationDefinitionId")]
    id: Uuid,
}

async fn list(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: OfWorkspace = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        let page = Page {
            workspace_ids: vec![asked.workspace_id],
            include_deleted: false,
            limit: u64::from(u32::MAX),
            offset: 0,
        };
        let mut all = Vec::new();
        for row in engine.actor_list(kind, &page).await? {
            all.push(actor_read(&engine, kind, row.id).await?.0);
        }
        Ok(Reply::json(&json!({ format!("{}s", kind.as_str()): all })))
    })
    .await
}

async fn create(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let new: Create = body(&bytes)?;
        let row = engine
            .actor_create(NewActor {
                kind,
                name: new.name,
                workspace_id: new.workspace_id,
                definition_id: Some(new.definition_id),
                configuration: Value::Object(new.connection_configuration),
                resource_allocation: None,
            })
            .await?;
        Ok(Reply::json(&actor_read(&engine, kind, row.id).await?.0))
    })
    .await
}

async fn update(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let sent: Update = body(&bytes)?;
        let change = ActorChange {
            name: sent.name,
            configuration: sent.connection_configuration.map(Value::Object),
            merge: false,
            resource_allocation: None,
        };
        engine.actor_update(kind, sent.id, change).await?;
        Ok(Reply::json(&actor_read(&engine, kind, sent.id).await?.0))
    })
    .await
}

async fn delete(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: ActorId = body(&bytes)?;
        engine.actor_delete(kind, asked.id).await?;
        Ok(Reply::Nothing)
    })
    .await
}

async fn get_destination(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ActorId = body(&bytes)?;
        let (read, _) = actor_read(&engine, ConnectorKind::Destination, asked.id).await?;
        Ok(Reply::json(&read))
    })
    .await
}

async fn definitions(kind: ConnectorKind, engine: Shared) -> HttpResponse {
    answer(engine, move |engine| async move {
        let all: Vec<Value> = engine
            .definitions
            .list(kind)
            .iter()
            .filter(|definition| definition.custom.is_none())
            .map(|definition| definition_view(kind, definition))
            .collect();
        let member = format!("{}Definitions", kind.as_str());
        Ok(Reply::json(&json!({ member: all })))
    })
    .await
}

async fn definition(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: DefinitionId = body(&bytes)?;
        let definition = engine.definitions.get(kind, asked.id)?;
        Ok(Reply::json(&definition_view(kind, &definition)))
    })
    .await
}

async fn delete_connection(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionId = body(&bytes)?;
        engine.connection_delete(asked.connection_id).await?;
        Ok(Reply::Nothing)
    })
    .await
}
