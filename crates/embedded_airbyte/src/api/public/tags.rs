//! `/tags`.

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared, body, id};

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/tags", BEARER, list)
        .post("/tags", BEARER, create)
        .get("/tags/{id}", BEARER, get)
        .patch("/tags/{id}", BEARER, patch)
        .delete("/tags/{id}", BEARER, delete);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: String,
    color: String,
    workspace_id: Uuid,
}

#[derive(Deserialize)]
struct Patch {
    name: String,
    color: String,
}

async fn list(engine: Shared, request: HttpRequest) -> HttpResponse {
    let query = Query::of(&request);
    answer(engine, |engine| async move {
        let tags = engine.tag_list(&query.ids("workspaceIds")?).await?;
        let data: Vec<Value> = tags.iter().map(|tag| tag.view()).collect();
        Ok(Reply::json(&json!({ "data": data })))
    })
    .await
}

async fn create(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let new: Create = body(&bytes)?;
        let tag = engine
            .tag_create(new.workspace_id, new.name, new.color)
            .await?;
        Ok(Reply::json(&tag.view()))
    })
    .await
}

async fn get(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        Ok(Reply::json(&engine.tag(id(&path)?).await?.view()))
    })
    .await
}

async fn patch(engine: Shared, path: web::Path<String>, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let (id, change): (_, Patch) = (id(&path)?, body(&bytes)?);
        let tag = engine.tag_update(id, change.name, change.color).await?;
        Ok(Reply::json(&tag.view()))
    })
    .await
}

async fn delete(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        engine.tag_delete(id(&path)?).await?;
        Ok(Reply::Nothing)
    })
    .await
}
