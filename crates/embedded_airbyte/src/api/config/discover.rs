//! Discover, with or without a connection that meets the result; sources and their last catalog.

use actix_web::{HttpResponse, web};
use catalog::diff::CatalogDiff;
use http_server::routes::Routes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::actors::{ActorId, job_info};
use super::answer;
use super::connection_views::actor_read;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::connector::{FailureReason, Kind, Origin};
use crate::discovery::SynchronousJob;
use crate::fault::stored;
use crate::notation::{SyncCatalog, with_suggestions};
use crate::options::ConnectorKind;
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/sources/discover_schema", BEARER, discover)
        .post("/sources/get", BEARER, source)
        .post(
            "/sources/most_recent_source_actor_catalog",
            BEARER,
            most_recent,
        );
}

#[derive(Deserialize)]
struct Discover {
    #[serde(rename = "sourceId")]
    source_id: Uuid,
    #[serde(rename = "connectionId")]
    connection_id: Option<Uuid>,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    disable_cache: bool,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct DiscoverRead {
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog: Option<SyncCatalog>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_info: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_diff: Option<CatalogDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    breaking_change: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_status: Option<String>,
}

async fn discover(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Discover = body(&bytes)?;
        if let Some(id) = asked.connection_id {
            engine.connection(id).await?;
        }
        let source = engine.actor(ConnectorKind::Source, asked.source_id).await?;
        if engine.hostility.fails_discover(source.id) {
            let mut job = SynchronousJob::remembered("discover_schema");
            let message = "the source did not answer in time";
            job.failure = Some(FailureReason::new(
                Origin::Source,
                Kind::TransientError,
                message,
            ));
            let read = DiscoverRead {
                job_info: Some(job_info(&job)),
                ..DiscoverRead::default()
            };
            return Ok(Reply::json(&read));
        }
        let found = engine
            .discover(asked.source_id, asked.disable_cache)
            .await?;
        let mut read = DiscoverRead::default();
        let Some((id, text)) = found.catalog else {
            read.job_info = Some(job_info(&found.job));
            return Ok(Reply::json(&read));
        };
        read.catalog = Some(with_suggestions(stored("catalog", &text)?));
        read.catalog_id = Some(id);
        match asked.connection_id {
            // Only a real run meets the connection, and only then is the job left out.
            Some(connection) if found.ran => {
                let noticed = engine.schema_notice(connection, id).await?;
                read.breaking_change = Some(noticed.row.breaking_change);
                read.connection_status = Some(noticed.row.status);
                read.catalog_diff = Some(noticed.diff);
            }
            _ => read.job_info = Some(job_info(&found.job)),
        }
        Ok(Reply::json(&read))
    })
    .await
}

async fn source(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ActorId = body(&bytes)?;
        let (read, _) = actor_read(&engine, ConnectorKind::Source, asked.id).await?;
        Ok(Reply::json(&read))
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MostRecent {
    updated_at: i64,
    catalog: Box<serde_json::value::RawValue>,
}

async fn most_recent(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ActorId = body(&bytes)?;
        engine.actor(ConnectorKind::Source, asked.id).await?;
        match engine.latest_catalog(asked.id).await? {
            Some(row) => Ok(Reply::json(&MostRecent {
                updated_at: seconds(row.fetched_at),
                catalog: stored("catalog", &row.catalog)?,
            })),
            None => Ok(Reply::json(&json!({}))),
        }
    })
    .await
}
