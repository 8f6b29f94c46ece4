//! What the public API lists and the community edition does not have: several users with
//! permissions and groups, organisations, regions, data planes, consent flows.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::workspaces::not_here;
use crate::api::problem;
use crate::fault::Fault;

pub(super) fn configure(services: &mut web::ServiceConfig) {
    let oauth = "/organizations/{id}/oauthCredentials";
    services
        .route(oauth, web::put().to(not_here))
        .route(
            &format!("{oauth}/{{kind}}/{{name}}"),
            web::delete().to(not_here),
        )
        .route("/oauth/callback", web::get().to(not_here));
    for path in ["/organizations", "/users", "/permissions"] {
        services.route(path, web::route().to(forbidden));
    }
    services.route("/permissions/{id}", web::route().to(unknown_permission));
    for path in [
        "/groups",
        "/groups/{tail:.*}",
        "/regions",
        "/regions/{id}",
        "/dataplanes",
        "/dataplanes/{id}",
        "/embedded/{tail:.*}",
    ] {
        services.route(path, web::route().to(not_entitled));
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
