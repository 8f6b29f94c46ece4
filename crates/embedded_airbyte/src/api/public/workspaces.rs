//! `/workspaces`.

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{answer, base, envelope};
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared, body, id};
use crate::fault::{Fault, stored};
use crate::store::entities::workspace;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/workspaces", BEARER, list)
        .post("/workspaces", BEARER, create)
        .get("/workspaces/{id}", BEARER, get)
        .patch("/workspaces/{id}", BEARER, patch)
        .delete("/workspaces/{id}", BEARER, delete)
        .put("/workspaces/{id}/oauthCredentials", BEARER, not_here)
        .delete(
            "/workspaces/{id}/oauthCredentials/{kind}/{name}",
            BEARER,
            not_here,
        );
}

#[derive(Deserialize)]
struct Create {
    name: String,
    notifications: Option<Value>,
}

#[derive(Deserialize)]
struct Patch {
    name: Option<String>,
    notifications: Option<Value>,
}

const NOTIFICATIONS: [&str; 6] = [
    "failure",
    "success",
    "connectionUpdate",
    "connectionUpdateActionRequired",
    "syncDisabled",
    "syncDisabledWarning",
];

fn view(row: workspace::Model) -> Result<Value, Fault> {
    let set: Value = stored("notifications", &row.notifications)?;
    let notifications: Map<String, Value> = NOTIFICATIONS
        .iter()
        .map(|name| {
            let value = set.get(name).filter(|value| value.is_object());
            (
                (*name).to_owned(),
                value.cloned().unwrap_or_else(|| json!({})),
            )
        })
        .collect();
    Ok(json!({
        "workspaceId": row.id,
        "name": row.name,
        "dataResidency": "auto",
        "notifications": notifications,
    }))
}

async fn list(engine: Shared, request: HttpRequest) -> HttpResponse {
    let (query, base) = (Query::of(&request), base(&request));
    answer(engine, |engine| async move {
        let page = query.page()?;
        let rows = engine.workspace_list(&page).await?;
        let data: Result<Vec<_>, _> = rows.into_iter().map(view).collect();
        Ok(envelope(&base, &page, data?))
    })
    .await
}

async fn create(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let new: Create = body(&bytes)?;
        let notifications = checked(new.notifications)?.unwrap_or_else(|| json!({}));
        let row = engine.workspace_create(new.name, notifications).await?;
        Ok(Reply::json(&view(row)?))
    })
    .await
}

async fn get(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        Ok(Reply::json(&view(engine.workspace(id(&path)?).await?)?))
    })
    .await
}

async fn patch(engine: Shared, path: web::Path<String>, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let id = id(&path)?;
        let change: Patch = body(&bytes)?;
        let row = engine
            .workspace_update(id, change.name, checked(change.notifications)?)
            .await?;
        Ok(Reply::json(&view(row)?))
    })
    .await
}

async fn delete(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        engine.workspace_delete(id(&path)?).await?;
        Ok(Reply::Nothing)
    })
    .await
}

/// Overrides of OAuth credentials are a feature that the community edition answers so.
pub(super) async fn not_here() -> HttpResponse {
    HttpResponse::NotImplemented().json(json!({
        "status": 501,
        "type": "error:implementation/not-implemented-in-oss",
        "title": "Functionality not available",
        "detail": "This functionality is not available in the open source edition.",
        "documentationUrl": null,
    }))
}

/// What was sent, once it is known to be usable: a webhook that is on needs an address.
fn checked(sent: Option<Value>) -> Result<Option<Value>, Fault> {
    let Some(sent) = sent.filter(|sent| !sent.is_null()) else {
        return Ok(None);
    };
    let refuse = |kind: &'static str, detail: String| Fault::Typed {
        kind,
        detail,
        data: json!({}),
    };
    let Some(members) = sent.as_object() else {
        let detail = "notifications must be an object".to_owned();
        return Err(refuse("error:notification/config/required", detail));
    };
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        if !NOTIFICATIONS.contains(&name.as_str()) {
            continue;
        }
        if !value.is_object() {
            let detail = format!("notifications.{name} must be an object");
            return Err(refuse("error:notification/config/required", detail));
        }
        let webhook = &value["webhook"];
        let url = webhook["url"].as_str().unwrap_or_default();
        if webhook["enabled"] == json!(true) && url.is_empty() {
            let detail = format!("notifications.{name}.webhook is enabled and has no url");
            return Err(refuse("error:notification/config/missing-url", detail));
        }
    }
    Ok(Some(sent))
}
