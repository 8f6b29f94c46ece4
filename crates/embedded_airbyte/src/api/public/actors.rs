//! `/sources` and `/destinations`, which differ in little but their names.

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{answer, base, envelope};
use crate::actors::{ActorChange, NewActor, type_member};
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared, body, id};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::options::ConnectorKind;
use crate::secrets::masked;
use crate::store::entities::actor;
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes.post("/sources/initiateOAuth", BEARER, initiate_oauth);
    for kind in [ConnectorKind::Source, ConnectorKind::Destination] {
        let all = format!("/{}s", kind.as_str());
        let one = format!("{all}/{{id}}");
        routes
            .get(&all, BEARER, move |e, r| list(kind, e, r))
            .post(&all, BEARER.making_something(), move |e, b| {
                create(kind, e, b)
            })
            .get(&one, BEARER, move |e, p| get(kind, e, p))
            .patch(&one, BEARER, move |e, p, b| patch(kind, e, p, b))
            .put(&one, BEARER, move |e, p, b| put(kind, e, p, b))
            .delete(&one, BEARER, move |e, p| delete(kind, e, p));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: String,
    workspace_id: Uuid,
    configuration: Map<String, Value>,
    definition_id: Option<Uuid>,
    secret_id: Option<String>,
    resource_allocation: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    name: Option<String>,
    configuration: Option<Map<String, Value>>,
    secret_id: Option<String>,
    resource_allocation: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    name: String,
    configuration: Map<String, Value>,
    resource_allocation: Option<Value>,
}

fn view(engine: &Engine, kind: ConnectorKind, row: &actor::Model) -> Result<Value, Fault> {
    let (own_id, own_type) = match kind {
        ConnectorKind::Source => ("sourceId", type_member(kind)),
        ConnectorKind::Destination => ("destinationId", type_member(kind)),
    };
    let definition = engine.definitions.get(kind, row.definition_id);
    let short_name = definition
        .as_ref()
        .ok()
        .filter(|definition| definition.custom.is_none())
        .map_or("", |definition| definition.short_name());
    let mut view = json!({
        own_id: row.id,
        "name": row.name,
        own_type: short_name,
        "definitionId": row.definition_id,
        "workspaceId": row.workspace_id,
        "configuration": masked(&row.configuration, &row.secrets)?,
        "createdAt": seconds(row.created_at),
    });
    if let Some(allocation) = &row.resource_allocation {
        view["resourceAllocation"] = stored("resource allocation", allocation)?;
    }
    Ok(view)
}

/// Secrets that a consent flow would have stored; there is no such flow here.
fn refuse_secret_id(kind: ConnectorKind, secret: Option<&String>) -> Result<(), Fault> {
    match secret {
        // Only sources have consent flows; elsewhere the member means nothing.
        Some(secret) if kind == ConnectorKind::Source => Err(Fault::not_found("secret", secret)),
        _ => Ok(()),
    }
}

async fn list(kind: ConnectorKind, engine: Shared, request: HttpRequest) -> HttpResponse {
    let (query, base) = (Query::of(&request), base(&request));
    answer(engine, |engine| async move {
        let page = query.page()?;
        let rows = engine.actor_list(kind, &page).await?;
        let data: Result<Vec<_>, _> = rows.iter().map(|row| view(&engine, kind, row)).collect();
        Ok(envelope(&base, &page, data?))
    })
    .await
}

async fn create(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let new: Create = body(&bytes)?;
        refuse_secret_id(kind, new.secret_id.as_ref())?;
        let row = engine
            .actor_create(NewActor {
                kind,
                name: new.name,
                workspace_id: new.workspace_id,
                definition_id: new.definition_id,
                configuration: Value::Object(new.configuration),
                resource_allocation: new.resource_allocation,
            })
            .await?;
        Ok(Reply::json(&view(&engine, kind, &row)?))
    })
    .await
}

async fn get(kind: ConnectorKind, engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, move |engine| async move {
        let row = engine.actor_shown(kind, id(&path)?).await?;
        Ok(Reply::json(&view(&engine, kind, &row)?))
    })
    .await
}

async fn patch(
    kind: ConnectorKind,
    engine: Shared,
    path: web::Path<String>,
    bytes: web::Bytes,
) -> HttpResponse {
    answer(engine, move |engine| async move {
        let id = id(&path)?;
        let sent: Patch = body(&bytes)?;
        refuse_secret_id(kind, sent.secret_id.as_ref())?;
        let change = ActorChange {
            name: sent.name,
            configuration: sent.configuration.map(Value::Object),
            merge: true,
            resource_allocation: sent.resource_allocation,
        };
        let row = engine.actor_update(kind, id, change).await?;
        Ok(Reply::json(&view(&engine, kind, &row)?))
    })
    .await
}

async fn put(
    kind: ConnectorKind,
    engine: Shared,
    path: web::Path<String>,
    bytes: web::Bytes,
) -> HttpResponse {
    answer(engine, move |engine| async move {
        let id = id(&path)?;
        let sent: Put = body(&bytes)?;
        let change = ActorChange {
            name: Some(sent.name),
            configuration: Some(Value::Object(sent.configuration)),
            merge: false,
            resource_allocation: sent.resource_allocation,
        };
        let row = engine.actor_update(kind, id, change).await?;
        Ok(Reply::json(&view(&engine, kind, &row)?))
    })
    .await
}

async fn delete(kind: ConnectorKind, engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, move |engine| async move {
        engine.actor_delete(kind, id(&path)?).await?;
        Ok(Reply::Nothing)
    })
    .await
}

/// What the community edition answers.
async fn initiate_oauth() -> HttpResponse {
    HttpResponse::NotImplemented().finish()
}
