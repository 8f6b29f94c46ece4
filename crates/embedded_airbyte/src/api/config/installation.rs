//! What clients ask an installation about itself: its workspaces, its one user and organization.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use crate::actors::Page;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::people;
use crate::store::entities::workspace;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/workspaces/get", BEARER, workspace)
        .post("/workspaces/list", BEARER, workspaces)
        .post(
            "/workspaces/get_organization_info",
            BEARER,
            organization_info,
        )
        .post("/organizations/get", BEARER, organization)
        .post("/organizations/list_by_user_id", BEARER, organizations)
        .post("/users/get", BEARER, user)
        .post("/users/get_by_auth_id", BEARER, user)
        .post("/permissions/list_by_user", BEARER, permissions)
        .get("/instance_configuration", BEARER, instance);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkspaceId {
    workspace_id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationId {
    organization_id: Uuid,
}

/// A user by either of the names that requests use.
#[derive(Deserialize)]
struct UserId {
    #[serde(alias = "userId", alias = "authUserId")]
    id: String,
}

/// `WorkspaceRead`.
fn view(row: &workspace::Model) -> Result<Value, Fault> {
    let notifications: Value = stored("notifications", &row.notifications)?;
    Ok(json!({
        "workspaceId": row.id,
        "customerId": row.id,
        "name": row.name,
        "slug": row.name.to_lowercase().replace(' ', "-"),
        "initialSetupComplete": true,
        "displaySetupWizard": false,
        "anonymousDataCollection": false,
        "news": false,
        "securityUpdates": false,
        "notifications": [],
        "notificationSettings": notifications,
        "defaultGeography": "auto",
        "organizationId": people::DEFAULT_ID,
        "dataplaneGroupId": people::DEFAULT_ID,
        "tombstone": row.deleted,
    }))
}

async fn all(engine: &Engine) -> Result<Vec<workspace::Model>, Fault> {
    let page = Page {
        workspace_ids: Vec::new(),
        include_deleted: false,
        limit: u64::from(u32::MAX),
        offset: 0,
    };
    engine.workspace_list(&page).await
}

async fn workspace(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: WorkspaceId = body(&bytes)?;
        Ok(Reply::json(&view(
            &engine.workspace(asked.workspace_id).await?,
        )?))
    })
    .await
}

async fn workspaces(engine: Shared) -> HttpResponse {
    answer(engine, |engine| async move {
        let rows = all(&engine).await?;
        let workspaces: Result<Vec<_>, _> = rows.iter().map(view).collect();
        Ok(Reply::json(&json!({ "workspaces": workspaces? })))
    })
    .await
}

async fn organization_info(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: WorkspaceId = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        Ok(Reply::json(&json!({
            "organizationId": people::DEFAULT_ID,
            "organizationName": people::ORGANIZATION_NAME,
            "sso": false,
        })))
    })
    .await
}

async fn organization(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |_| async move {
        let asked: OrganizationId = body(&bytes)?;
        if asked.organization_id != people::DEFAULT_ID {
            return Err(Fault::not_found("organization", asked.organization_id));
        }
        Ok(Reply::json(&people::organization()))
    })
    .await
}

/// Any user is the one there is: callers take the id from a token that names it.
fn known(bytes: &[u8]) -> Result<(), Fault> {
    let asked: UserId = body(bytes)?;
    if asked.id == people::DEFAULT_ID.to_string() {
        return Ok(());
    }
    Err(Fault::not_found("user", asked.id))
}

async fn organizations(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |_| async move {
        known(&bytes)?;
        let all = [people::organization()];
        Ok(Reply::json(&json!({ "organizations": all })))
    })
    .await
}

async fn user(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        known(&bytes)?;
        let first = all(&engine).await?.first().map(|workspace| workspace.id);
        Ok(Reply::json(&people::user(first)))
    })
    .await
}

async fn permissions(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |_| async move {
        known(&bytes)?;
        Ok(Reply::json(
            &json!({ "permissions": [people::permission()] }),
        ))
    })
    .await
}

async fn instance(engine: Shared) -> HttpResponse {
    answer(engine, |engine| async move {
        let first = all(&engine).await?.first().map(|workspace| workspace.id);
        Ok(Reply::json(&json!({
            "airbyteUrl": "",
            "edition": "community",
            "version": env!("CARGO_PKG_VERSION"),
            "licenseStatus": null,
            "auth": {"mode": "simple_auth"},
            "initialSetupComplete": true,
            "defaultUserId": people::DEFAULT_ID,
            "defaultOrganizationId": people::DEFAULT_ID,
            "defaultOrganizationEmail": people::EMAIL,
            "defaultWorkspaceId": first,
            "trackingStrategy": "logging",
        })))
    })
    .await
}
