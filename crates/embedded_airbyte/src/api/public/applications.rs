//! `/applications`: the community edition has exactly one, made at the installation.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde_json::json;
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, problem};
use crate::fault::Fault;
use crate::secrets::MASK;
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/applications", BEARER, list)
        .post("/applications", BEARER, unsupported)
        .get("/applications/{id}", BEARER, get)
        .delete("/applications/{id}", BEARER, unsupported);
}

/// The only application, under a new id at every call. Its secret is never returned: a caller who
/// may ask already has it.
async fn list(engine: Shared) -> HttpResponse {
    answer(engine, |engine| async move {
        let installed_at = engine.installed_at().await?;
        let client_id = engine.tokens.client_id();
        Ok(Reply::json(&json!({"applications": [{
            "id": Uuid::new_v4(),
            "name": "Default User Application",
            "clientId": client_id,
            "clientSecret": MASK,
            "createdAt": seconds(installed_at),
        }]})))
    })
    .await
}

/// No id is ever seen twice, so none is ever found.
async fn get(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |_| async move {
        Err(Fault::not_found("application", path.into_inner()))
    })
    .await
}

/// Only editions with an identity provider make and delete applications.
async fn unsupported() -> HttpResponse {
    let fault = Fault::Unexpected("applications cannot be changed in this edition".to_owned());
    problem::error_id(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, &fault)
}
