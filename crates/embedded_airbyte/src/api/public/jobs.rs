//! `/jobs`.

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{answer, base, filtered_envelope};
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared, body, id};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::job_views::{JobFilter, JobView};
use crate::jobs::{FINAL, Work};
use crate::time::{iso, iso_duration, parse};

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/jobs", BEARER, list)
        .post("/jobs", BEARER.starting_a_job(), create)
        .get("/jobs/{id}", BEARER, get)
        .delete("/jobs/{id}", BEARER, cancel);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    connection_id: Uuid,
    job_type: String,
}

const STATUSES: [&str; 7] = [
    "pending",
    "queued",
    "running",
    "incomplete",
    "failed",
    "succeeded",
    "cancelled",
];

fn view(job: &JobView) -> Value {
    let row = &job.row;
    let kind = match row.config_type.as_str() {
        "reset_connection" => "reset",
        other => other,
    };
    let totals = job.totals();
    let mut view = json!({
        "jobId": row.id,
        "status": row.status,
        "jobType": kind,
        "startTime": iso(row.created_at),
        "connectionId": row.connection_id,
        "bytesSynced": totals.bytes_committed,
        "rowsSynced": totals.records_committed,
    });
    if FINAL.contains(&row.status.as_str()) {
        view["lastUpdatedAt"] = json!(iso(row.updated_at));
    }
    if row.status != "pending" {
        view["duration"] = json!(iso_duration(row.updated_at - row.created_at));
    }
    view
}

fn job_id(text: &str) -> Result<i64, Fault> {
    text.parse()
        .map_err(|_| Fault::BadRequest(format!("{text} is not a job id")))
}

async fn one(engine: &Engine, id: i64) -> Result<Reply, Fault> {
    Ok(Reply::json(&view(&engine.job_view(id).await?)))
}

async fn create(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Create = body(&bytes)?;
        let connection = asked.connection_id;
        let work = match asked.job_type.as_str() {
            "sync" => Work::Sync,
            "reset" | "clear" => {
                let catalog = engine.connection(connection).await?.catalog()?;
                let streams = catalog.streams.iter();
                Work::Clear(streams.map(|entry| entry.stream.descriptor()).collect())
            }
            "refresh" => {
                return Err(Fault::Unprocessable(
                    "The refresh job type is not supported by this endpoint".to_owned(),
                ));
            }
            other => {
                return Err(Fault::Unprocessable(format!("{other} is not a jobType")));
            }
        };
        let job = engine.job_start(connection, work).await?;
        one(&engine, job.id).await
    })
    .await
}

async fn get(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        one(&engine, job_id(&path)?).await
    })
    .await
}

async fn cancel(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        let job = engine.job_cancel(job_id(&path)?).await?;
        one(&engine, job.id).await
    })
    .await
}

async fn list(engine: Shared, request: HttpRequest) -> HttpResponse {
    let (query, base) = (Query::of(&request), base(&request));
    answer(engine, |engine| async move {
        let page = query.page()?;
        let jobs = engine.job_list(&filter(&query, &page)?).await?;
        let data: Vec<Value> = jobs.iter().map(view).collect();
        let mut kept = Vec::new();
        for name in ["connectionId", "jobType"] {
            if let Some(value) = query.one(name) {
                kept.push((name, value.to_owned()));
            }
        }
        Ok(filtered_envelope(&base, &page, &kept, data))
    })
    .await
}

fn filter(query: &Query, page: &crate::actors::Page) -> Result<JobFilter, Fault> {
    let time = |name: &str| match query.one(name) {
        None => Ok(None),
        Some(text) => parse(text)
            .map(Some)
            .ok_or_else(|| Fault::Constraint(format!("{name} must be an ISO 8601 time"))),
    };
    let config_types = match query.one("jobType") {
        None => vec!["sync", "refresh", "reset_connection"],
        Some("sync") => vec!["sync"],
        Some("refresh") => vec!["refresh"],
        Some("reset") => vec!["reset_connection"],
        // Clears are stored as resets, so asking for them finds nothing.
        Some("clear") => vec!["clear"],
        Some(other) => return Err(Fault::Constraint(format!("{other} is not a jobType"))),
    };
    let status = query.one("status");
    if let Some(status) = status.filter(|status| !STATUSES.contains(status)) {
        return Err(Fault::Constraint(format!("{status} is not a status")));
    }
    let (by_update, descending) = match query.one("orderBy") {
        None | Some("createdAt|ASC") => (false, false),
        Some("createdAt|DESC") => (false, true),
        Some("updatedAt|ASC") => (true, false),
        Some("updatedAt|DESC") => (true, true),
        Some(other) => {
            return Err(Fault::BadRequest(format!(
                "orderBy {other} is not <createdAt|updatedAt>|<ASC|DESC>"
            )));
        }
    };
    let connection = query.one("connectionId").map(id).transpose()?;
    Ok(JobFilter {
        connection,
        // A connection is sufficient.
        workspaces: match connection {
            Some(_) => Vec::new(),
            None => page.workspace_ids.clone(),
        },
        config_types: config_types.into_iter().map(str::to_owned).collect(),
        statuses: status.map(str::to_owned).into_iter().collect(),
        created: (time("createdAtStart")?, time("createdAtEnd")?),
        updated: (time("updatedAtStart")?, time("updatedAtEnd")?),
        by_update,
        descending,
        limit: page.limit,
        offset: page.offset,
    })
}
