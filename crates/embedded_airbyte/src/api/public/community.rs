//! What the public API lists and the community edition does not have: several users with
//! permissions and groups, organisations, regions, data planes, consent flows.

use actix_web::{HttpResponse, web};
use serde_json::json;
use shared::http::routes::Routes;

use super::workspaces::not_here;
use crate::api::policy::{BEARER, Policy};
use crate::api::problem;
use crate::fault::Fault;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    let oauth = "/organizations/{id}/oauthCredentials";
    routes
        .put(oauth, BEARER, not_here)
        .delete(&format!("{oauth}/{{kind}}/{{name}}"), BEARER, not_here)
        .get("/oauth/callback", BEARER, not_here);
    for path in ["/organizations", "/users", "/permissions"] {
        routes.any(path, BEARER, forbidden);
    }
    routes.any("/permissions/{id}", BEARER, unknown_permission);
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

async fn forbidden() -> HttpResponse {
    problem::public(&Fault::Forbidden(
        "User does not have the required permissions to do this.".to_owned(),
    ))
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
