//! Jobs with their attempts, failures and logs.

use actix_web::{HttpResponse, web};
use airbyte_protocol::StreamDescriptor;
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body, id};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::job_views::{AttemptView, JobFilter, JobView, Totals};
use crate::jobs::{Refresh, Work};
use crate::replication::{StreamStats, log_lines};
use crate::time::{parse, seconds};

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/jobs/get", BEARER, get)
        .post("/jobs/get_light", BEARER, get_light)
        .post("/jobs/get_without_logs", BEARER, get_without_logs)
        .post("/jobs/list", BEARER, list)
        .post("/jobs/cancel", BEARER, cancel)
        .post("/attempt/get_for_job", BEARER, attempt)
        .post("/attempt/get_combined_stats", BEARER, combined_stats);
}

#[derive(Deserialize)]
pub(super) struct JobId {
    #[serde(deserialize_with = "crate::notation::long")]
    pub(super) id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptId {
    #[serde(deserialize_with = "crate::notation::long")]
    job_id: i64,
    attempt_number: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    config_types: Vec<String>,
    config_id: Option<String>,
    #[serde(default, deserialize_with = "crate::notation::optional_long")]
    including_job_id: Option<i64>,
    pagination: Option<Pagination>,
    statuses: Option<Vec<String>>,
    created_at_start: Option<String>,
    created_at_end: Option<String>,
    updated_at_start: Option<String>,
    updated_at_end: Option<String>,
    order_by_field: Option<String>,
    order_by_method: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    page_size: Option<u64>,
    row_offset: Option<u64>,
}

const PAGE_DEFAULT: u64 = 200;

/// `JobRead`.
pub(super) fn job_read(job: &JobView) -> Result<Value, Fault> {
    let row = &job.row;
    let streams: Vec<StreamDescriptor> = stored("list of streams", &row.streams)?;
    let mut read = json!({
        "id": row.id,
        "configType": row.config_type,
        "configId": row.connection_id.to_string(),
        "enabledStreams": streams,
        "createdAt": seconds(row.created_at),
        "updatedAt": seconds(row.updated_at),
        "status": row.status,
        "aggregatedStats": totals(&job.totals()),
        "streamAggregatedStats": per_stream(job),
    });
    if let Some(started) = row.started_at {
        read["startedAt"] = json!(seconds(started));
    }
    match row.work()? {
        Work::Sync => {}
        Work::Refresh(Refresh { streams, .. }) => {
            read["refreshConfig"] = json!({ "streamsToRefresh": streams });
        }
        Work::Clear(streams) => read["resetConfig"] = json!({ "streamsToReset": streams }),
    }
    Ok(read)
}

fn totals(totals: &Totals) -> Value {
    json!({
        "recordsEmitted": totals.records_emitted,
        "bytesEmitted": totals.bytes_emitted,
        "recordsCommitted": totals.records_committed,
        "bytesCommitted": totals.bytes_committed,
        "recordsRejected": totals.records_rejected,
    })
}

fn named(mut value: Value, stream: &StreamDescriptor) -> Value {
    value["streamName"] = json!(stream.name);
    if let Some(namespace) = &stream.namespace {
        value["streamNamespace"] = json!(namespace);
    }
    value
}

fn per_stream(job: &JobView) -> Vec<Value> {
    let mut streams: Vec<&StreamDescriptor> = Vec::new();
    for stats in job.attempts.iter().flat_map(|attempt| &attempt.stats) {
        if !streams.contains(&&stats.stream) {
            streams.push(&stats.stream);
        }
    }
    streams
        .into_iter()
        .map(|stream| {
            let of_stream = job
                .attempts
                .iter()
                .flat_map(|attempt| &attempt.stats)
                .filter(|stats| stats.stream == *stream);
            named(totals(&Totals::of(of_stream)), stream)
        })
        .collect()
}

fn attempt_stats(stats: &[StreamStats]) -> Value {
    let sums = Totals::of(stats);
    let mut read = totals(&sums);
    read["stateMessagesEmitted"] = json!(sums.states_emitted);
    for (name, estimate) in [
        (
            "estimatedRecords",
            sum(stats, |stream| stream.estimated_records),
        ),
        (
            "estimatedBytes",
            sum(stats, |stream| stream.estimated_bytes),
        ),
    ] {
        if let Some(estimate) = estimate {
            read[name] = json!(estimate);
        }
    }
    read
}

fn sum(stats: &[StreamStats], of: impl Fn(&StreamStats) -> Option<i64>) -> Option<i64> {
    stats
        .iter()
        .filter_map(of)
        .fold(None, |sum, estimate| Some(sum.unwrap_or(0) + estimate))
}

/// `AttemptRead`; its id is its number.
fn attempt_read(attempt: &AttemptView) -> Value {
    let row = &attempt.row;
    let sums = Totals::of(&attempt.stats);
    let per_stream: Vec<Value> = attempt
        .stats
        .iter()
        .map(|stats| {
            let own = json!({"stats": attempt_stats(std::slice::from_ref(stats))});
            named(own, &stats.stream)
        })
        .collect();
    let mut read = json!({
        "id": row.number,
        "status": row.status,
        "createdAt": seconds(row.created_at),
        "updatedAt": seconds(row.updated_at),
        "bytesSynced": sums.bytes_committed,
        "recordsSynced": sums.records_committed,
        "totalStats": attempt_stats(&attempt.stats),
        "streamStats": per_stream,
    });
    if let Some(ended) = row.ended_at {
        read["endedAt"] = json!(seconds(ended));
    }
    if !attempt.failures.is_empty() {
        read["failureSummary"] = json!({
            "failures": attempt.failures,
            "partialSuccess": sums.records_committed > 0,
        });
    }
    read
}

fn attempt_info(engine: &Engine, attempt: &AttemptView, logs: bool) -> Value {
    let mut info = json!({ "attempt": attempt_read(attempt) });
    if logs {
        let lines = log_lines(&engine.logs, attempt.row.job_id, attempt.row.number);
        info["logType"] = json!("formatted");
        info["logs"] = json!({ "logLines": lines });
    }
    info
}

/// `JobInfoRead`.
pub(super) async fn job_info(engine: &Engine, id: i64, logs: bool) -> Result<Value, Fault> {
    let job = engine.job_view(id).await?;
    let attempts: Vec<Value> = job
        .attempts
        .iter()
        .map(|attempt| attempt_info(engine, attempt, logs))
        .collect();
    Ok(json!({"job": job_read(&job)?, "attempts": attempts}))
}

async fn get(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: JobId = body(&bytes)?;
        Ok(Reply::json(&job_info(&engine, asked.id, true).await?))
    })
    .await
}

async fn get_without_logs(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: JobId = body(&bytes)?;
        Ok(Reply::json(&job_info(&engine, asked.id, false).await?))
    })
    .await
}

async fn get_light(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: JobId = body(&bytes)?;
        let job = engine.job_view(asked.id).await?;
        Ok(Reply::json(&json!({ "job": job_read(&job)? })))
    })
    .await
}

async fn cancel(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: JobId = body(&bytes)?;
        let job = engine.job_cancel(asked.id).await?;
        Ok(Reply::json(&job_info(&engine, job.id, true).await?))
    })
    .await
}

async fn one_attempt(engine: &Engine, asked: &AttemptId) -> Result<AttemptView, Fault> {
    let job = engine.job_view(asked.job_id).await?;
    job.attempts
        .into_iter()
        .find(|attempt| attempt.row.number == asked.attempt_number)
        .ok_or_else(|| Fault::not_found("attempt", asked.attempt_number))
}

async fn attempt(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: AttemptId = body(&bytes)?;
        let attempt = one_attempt(&engine, &asked).await?;
        Ok(Reply::json(&attempt_info(&engine, &attempt, true)))
    })
    .await
}

async fn combined_stats(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: AttemptId = body(&bytes)?;
        let attempt = one_attempt(&engine, &asked).await?;
        Ok(Reply::json(&attempt_stats(&attempt.stats)))
    })
    .await
}

async fn list(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: List = body(&bytes)?;
        let including = asked.including_job_id;
        let mut filter = filter(asked)?;
        if let Some(id) = including {
            engine.job_page_with(&mut filter, id).await?;
        }
        let total = engine.job_count(&filter).await?;
        let mut jobs = Vec::new();
        for job in engine.job_list(&filter).await? {
            let attempts: Vec<Value> = job.attempts.iter().map(attempt_read).collect();
            jobs.push(json!({"job": job_read(&job)?, "attempts": attempts}));
        }
        Ok(Reply::json(&json!({"jobs": jobs, "totalJobCount": total})))
    })
    .await
}

fn filter(asked: List) -> Result<JobFilter, Fault> {
    let time = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => parse(&text)
            .map(Some)
            .ok_or_else(|| Fault::Constraint(format!("{text} is not an ISO 8601 time"))),
    };
    let (limit, offset) = asked.pagination.map_or((PAGE_DEFAULT, 0), |page| {
        (
            page.page_size.unwrap_or(PAGE_DEFAULT),
            page.row_offset.unwrap_or(0),
        )
    });
    Ok(JobFilter {
        connection: asked.config_id.as_deref().map(id).transpose()?,
        config_types: asked.config_types,
        statuses: asked.statuses.unwrap_or_default(),
        created: (time(asked.created_at_start)?, time(asked.created_at_end)?),
        updated: (time(asked.updated_at_start)?, time(asked.updated_at_end)?),
        by_update: asked.order_by_field.as_deref() == Some("updatedAt"),
        // Newest first, the opposite of the public API.
        descending: asked.order_by_method.as_deref() != Some("ASC"),
        limit: limit.min(i64::MAX.unsigned_abs()),
        offset: offset.min(i64::MAX.unsigned_abs()),
        ..JobFilter::default()
    })
}
