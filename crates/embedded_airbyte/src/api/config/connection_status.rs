//! `connections/status`: how several connections are doing, at a glance.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use super::jobs::job_read;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::job_views::{JobFilter, JobView};
use crate::jobs::FINAL;
use crate::store::entities::connection;
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes.post("/connections/status", BEARER, statuses);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionIds {
    connection_ids: Vec<Uuid>,
}

async fn statuses(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionIds = body(&bytes)?;
        let mut reads = Vec::with_capacity(asked.connection_ids.len());
        for id in asked.connection_ids {
            let row = engine.connection(id).await?;
            reads.push(status(&engine, &row).await?);
        }
        Ok(Reply::json(&reads))
    })
    .await
}

/// The newest job of a connection, of some kinds and states.
async fn newest(
    engine: &Engine,
    connection: Uuid,
    kinds: &[&str],
    statuses: &[&str],
) -> Result<Option<JobView>, Fault> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let filter = JobFilter {
        connection: Some(connection),
        config_types: owned(kinds),
        statuses: owned(statuses),
        descending: true,
        limit: 1,
        ..JobFilter::default()
    };
    Ok(engine.job_list(&filter).await?.pop())
}

async fn status(engine: &Engine, row: &connection::Model) -> Result<Value, Fault> {
    let syncs = ["sync", "refresh"];
    let any = newest(engine, row.id, &[], &[]).await?;
    let last_sync = newest(engine, row.id, &syncs, &[]).await?;
    let good = newest(engine, row.id, &syncs, &["succeeded"]).await?;
    let active = any.filter(|job| !FINAL.contains(&job.row.status.as_str()));
    let mut read = json!({
        "connectionId": row.id,
        "connectionSyncStatus": word(row, active.as_ref(), last_sync.as_ref()),
    });
    if let Some(data) = row.schedule()?.data {
        read["scheduleData"] = data;
    }
    if let Some(good) = good {
        read["lastSuccessfulSync"] = json!(seconds(good.row.updated_at));
    }
    if let Some(active) = active {
        read["activeJob"] = job_read(&active)?;
    }
    if let Some(last) = last_sync {
        read["lastSyncJobId"] = json!(last.row.id);
        read["lastSyncJobCreatedAt"] = json!(seconds(last.row.created_at));
        if let Some(attempt) = last.attempts.last() {
            read["lastSyncAttemptNumber"] = json!(attempt.row.number);
            if last.row.status == "failed"
                && let Some(failure) = attempt.failures.first()
            {
                read["failureReason"] = json!(failure);
            }
        }
    }
    Ok(read)
}

/// The first that holds, in Airbyte's order.
fn word(
    row: &connection::Model,
    active: Option<&JobView>,
    last_sync: Option<&JobView>,
) -> &'static str {
    let is = |job: Option<&JobView>, status: &str| job.is_some_and(|job| job.row.status == status);
    if is(active, "running") {
        return "running";
    }
    if is(active, "pending") {
        return "queued";
    }
    if row.breaking_change || is(last_sync, "failed") {
        return "failed";
    }
    if row.status != "active" {
        return "paused";
    }
    match last_sync.map(|job| job.row.status.as_str()) {
        None => "pending",
        Some("succeeded") => "synced",
        Some(_) => "incomplete",
    }
}
