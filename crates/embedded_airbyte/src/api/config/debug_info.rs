//! `jobs/get_debug_info`: a job with its logs and the connectors that it ran.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde_json::json;

use super::actors::definition_view;
use super::answer;
use super::jobs::{JobId, job_info};
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::jobs::FINAL;
use crate::options::ConnectorKind;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes.post("/jobs/get_debug_info", BEARER, get);
}

async fn get(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: JobId = body(&bytes)?;
        let job = engine.job(asked.id).await?;
        let connection = engine.connection(job.connection_id).await?;
        let mut info = job_info(&engine, job.id, true).await?;
        let mut debug = json!({
            "id": job.id,
            "configType": job.config_type,
            "configId": job.connection_id.to_string(),
            "status": job.status,
            "airbyteVersion": env!("CARGO_PKG_VERSION"),
        });
        for (kind, actor) in [
            (ConnectorKind::Source, connection.source_id),
            (ConnectorKind::Destination, connection.destination_id),
        ] {
            let definition = engine.actor_definition(kind, actor).await?;
            debug[format!("{}Definition", kind.as_str())] = definition_view(kind, &definition);
        }
        Ok(Reply::json(&json!({
            "job": debug,
            "attempts": info["attempts"].take(),
            "workflowState": {"running": !FINAL.contains(&job.status.as_str())},
        })))
    })
    .await
}
