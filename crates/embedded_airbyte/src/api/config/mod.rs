//! The Config API, `/api/v1`: every call is a POST with a JSON object.

mod actor_calls;
mod actors;
mod connection_list;
mod connection_status;
mod connection_views;
mod connections;
mod debug_info;
mod discover;
mod error;
mod installation;
mod jobs;
mod oauth;
mod schema_changes;
mod state;
mod web_backend;

use std::sync::Arc;

use actix_web::HttpResponse;
use http_server::routes::Routes;
use serde_json::json;

use super::{Reply, Shared, token};
use crate::api::policy::{PROBE, Policy, TOKEN};
use crate::engine::Engine;
use crate::fault::Fault;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/health", PROBE, health)
        .post("/applications/token", TOKEN, token::config)
        .configure(actors::configure)
        .configure(actor_calls::configure)
        .configure(installation::configure)
        .configure(connections::configure)
        .configure(connection_list::configure)
        .configure(connection_status::configure)
        .configure(debug_info::configure)
        .configure(discover::configure)
        .configure(oauth::configure)
        .configure(schema_changes::configure)
        .configure(web_backend::configure)
        .configure(jobs::configure)
        .configure(state::configure);
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"available": true}))
}

/// Does the work on the engine's runtime and words its failure as this API does.
async fn answer<F, W>(engine: Shared, work: W) -> HttpResponse
where
    W: FnOnce(Arc<Engine>) -> F,
    F: Future<Output = Result<Reply, Fault>> + Send + 'static,
{
    let engine = engine.into_inner();
    match engine.run(work(engine.clone())).await {
        Ok(reply) => reply.into_response(),
        Err(fault) => error::response(&fault),
    }
}
