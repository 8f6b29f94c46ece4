//! What the public API lists and the community edition does not have: several users with
//! permissions and groups, organisations, regions, data planes, consent flows.

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::json;

use uuid::Uuid;

use super::answer;
use super::workspaces::not_here;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared, body, problem};
use crate::fault::Fault;
use crate::people;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    let oauth = "/organizations/{id}/oauthCredentials";
    routes
        .put(oauth, BEARER, not_here)
        .delete(&format!("{oauth}/{{kind}}/{{name}}"), BEARER, not_here)
        .get("/oauth/callback", BEARER, not_here);
    routes
        .get("/organizations", BEARER, organizations)
        .get("/users", BEARER, users)
        .get("/permissions", BEARER, permissions)
        .post("/permissions", BEARER, create_permission)
        .any("/permissions/{id}", BEARER, unknown_permission);
    for path in [
        "/groups",
        "/groups/{tail:.*}",
        "/regions",
        "/regions/{id}",
        "/dataplanes",
        "/dataplanes/{id}",
        "/embedded/{tail:.*}",
    ] {
        routes.any(path, BEARER, not_entitled);
    }
}

async fn organizations() -> HttpResponse {
    HttpResponse::Ok().json(json!({"data": [people::organization()]}))
}

/// The only user, unless the request is for another one.
async fn users(engine: Shared, request: HttpRequest) -> HttpResponse {
    let query = Query::of(&request);
    answer(engine, |_| async move {
        let organization = query.id("organizationId")?.ok_or_else(|| {
            Fault::Constraint("Required QueryValue [organizationId] not specified".to_owned())
        })?;
        if organization != people::DEFAULT_ID {
            return Err(forbidden());
        }
        let (ids, emails) = (query.ids("ids")?, query.texts("emails"));
        let is_asked = (ids.is_empty() || ids.contains(&people::DEFAULT_ID))
            && (emails.is_empty() || emails.iter().any(|email| email == people::EMAIL));
        let user = json!({
            "id": people::DEFAULT_ID,
            "name": people::USER_NAME,
            "email": people::EMAIL,
        });
        let data: Vec<_> = is_asked.then_some(user).into_iter().collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}

/// The caller's own; there are no other users.
async fn permissions(engine: Shared, request: HttpRequest) -> HttpResponse {
    let query = Query::of(&request);
    answer(engine, |_| async move {
        let others = [query.id("userId")?, query.id("organizationId")?];
        if others.iter().flatten().any(|id| *id != people::DEFAULT_ID) {
            return Err(forbidden());
        }
        Ok(Reply::json(&json!({"data": [{
            "permissionId": people::PERMISSION_ID,
            "permissionType": "instance_admin",
            "userId": people::DEFAULT_ID,
            "scope": "none",
            "scopeId": people::DEFAULT_ID,
        }]})))
    })
    .await
}

/// A permission is for a workspace or an organization; giving one needs an edition with users.
async fn create_permission(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |_| async move {
        let sent: NewPermission = body(&bytes)?;
        if sent.workspace_id.is_none() && sent.organization_id.is_none() {
            let why =
                "Workspace ID or Organization ID must be provided in order to create a permission.";
            return Err(Fault::BadRequest(why.to_owned()));
        }
        Err(forbidden())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPermission {
    workspace_id: Option<Uuid>,
    organization_id: Option<Uuid>,
}

fn forbidden() -> Fault {
    Fault::Forbidden("User does not have the required permissions to do this.".to_owned())
}

async fn unknown_permission(path: web::Path<String>) -> HttpResponse {
    problem::public(&Fault::not_found("permission", path.into_inner()))
}

async fn not_entitled() -> HttpResponse {
    problem::public(&Fault::Typed {
        kind: "error:license/entitlement",
        detail: "License entitlement does not permit this operation.".to_owned(),
        data: json!({}),
    })
}
