//! Jobs: each is tracked to its end, whoever started it and even after crashes; logs; cancelling.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Database, Fault, Stack, StackBuilder, eventually, eventually_within};

use crate::given;

async fn status(stack: &Stack, job: &str, wanted: &str) -> Value {
    eventually(async || {
        let now = stack.api.get(&format!("/jobs/{job}")).await;
        let now = if now.status == 200 {
            now.json()
        } else {
            json!(now.status)
        };
        if now["status"] == wanted {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_started_in_airbyte_are_found_and_published() {
    // At once: each waits for the look of a tracker that knows of no job.
    let both = given::databases().await.into_iter();
    futures::future::join_all(both.map(async |database| {
        let stack = given::shop(database, &[]).await;
        let id = stack.onboard_sqlite("shop", "shop.db").await;
        let own = stack.sync(&id).await;
        assert_eq!(own["started_by"], "aam");
        let connection = stack
            .api
            .get(&format!("/connections/{id}"))
            .await
            .expect(200);
        let airbyte = stack.airbyte_api().await;
        let body = json!({"connectionId": connection["airbyte_connection_id"], "jobType": "sync"});
        let started = airbyte.post("/api/public/v1/jobs", &body).await.expect(200);
        let job = started["jobId"].to_string();
        let path = format!("/connections/{id}/jobs");
        let found = eventually_within(Duration::from_secs(60), async || {
            let jobs = stack.api.get(&path).await.expect(200);
            let found = jobs
                .as_array()
                .unwrap()
                .iter()
                .find(|found| found["job_id"] == job.as_str());
            match found {
                Some(found) if found["status"] == "succeeded" => Ok(found.clone()),
                _ => Err(jobs),
            }
        })
        .await;
        assert_eq!(found["started_by"], "airbyte");
        assert_eq!(found["attempts"], 1);
        let path = format!("/events?after=0&connection_id={id}&type=sync.started,sync.succeeded");
        let mut listener = stack.api.listen(&path, None).await;
        let mut heard = Vec::new();
        for _ in 0..4 {
            let message = listener.next().await.unwrap();
            heard.push((message.event, message.data["data"]["job_id"].clone()));
        }
        let of = |event: &str, job: &Value| (event.to_owned(), job.clone());
        let (own, other) = (&own["job_id"], &found["job_id"]);
        let expected = [
            of("sync.started", own),
            of("sync.succeeded", own),
            of("sync.started", other),
            of("sync.succeeded", other),
        ];
        assert_eq!(heard, expected);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_airbyte_fails_to_return_delays_no_other() {
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .proxied()
        .start()
        .await;
    let fill = "CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)";
    stack.sqlite("shop.db", fill).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    let proxy = stack.proxy.as_ref().unwrap();
    let detail = "/jobs/get_without_logs";
    proxy.fail(Method::POST, detail, Fault::Before(500), usize::MAX);
    let first = stack.sync(&id).await;
    assert_eq!(first["rows_synced"], 1, "{first}");
    proxy.mend();
    let second = stack.sync(&id).await;
    assert_eq!(second["attempts"], 1, "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_without_an_orchestrator_is_published_once_afterwards() {
    let control = tempfile::tempdir().unwrap();
    let (mut stack, made) = given::gated(Database::postgres().await, control.path()).await;
    let id = made["id"].as_str().unwrap().to_owned();
    std::fs::write(control.path().join("gate"), "").unwrap();
    let path = format!("/connections/{id}/sync");
    let started = stack.api.post_empty(&path).await.expect(200);
    let job = started["job_id"].as_str().unwrap().to_owned();
    status(&stack, &job, "running").await;
    stack.orchestrator.as_mut().unwrap().kill();
    std::fs::write(control.path().join("open"), "").unwrap();
    let airbyte = stack.airbyte_api().await;
    eventually(async || {
        let now = airbyte
            .get(&format!("/api/public/v1/jobs/{job}"))
            .await
            .expect(200);
        if now["status"] == "succeeded" {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;
    stack.start_orchestrator().await;
    let (_replica, _) = stack
        .start_replica("orchestrator", "SERVICE_PORT_ORCHESTRATOR", &[])
        .await;
    let ended = status(&stack, &job, "succeeded").await;
    assert!(ended["rows_synced"].as_i64().unwrap() > 0, "{ended}");
    let mut listener = stack.api.listen("/events?after=0", None).await;
    let told = listener.until("sync.succeeded").await;
    let starts = told
        .iter()
        .filter(|message| message.event == "sync.started")
        .count();
    assert_eq!(starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_read_while_it_runs_and_stopped() {
    let control = tempfile::tempdir().unwrap();
    let (stack, made) = given::gated(Database::Sqlite, control.path()).await;
    let id = made["id"].as_str().unwrap();
    std::fs::write(control.path().join("gate"), "").unwrap();
    let path = format!("/connections/{id}/sync");
    let started = stack.api.post_empty(&path).await.expect(200);
    let job = started["job_id"].as_str().unwrap().to_owned();
    status(&stack, &job, "running").await;

    let request = stack
        .api
        .request(reqwest::Method::GET, &format!("/jobs/{job}/logs?follow"));
    let mut followed = request.send().await.unwrap();
    assert_eq!(followed.status(), 200);
    let first = followed.chunk().await.unwrap().unwrap();
    let mut log = String::from_utf8_lossy(&first).into_owned();
    assert!(log.starts_with("== attempt 1 ==\n"), "{log}");

    let cancelled = stack
        .api
        .post_empty(&format!("/jobs/{job}/cancel"))
        .await
        .expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let audit = stack.api.get("/audit?action=job.cancel").await.expect(200);
    assert_eq!(
        (&audit[0]["target"], &audit[0]["actor"]),
        (&json!(job), &json!("AAM_API_KEY"))
    );
    while let Some(chunk) = followed.chunk().await.unwrap() {
        log.push_str(&String::from_utf8_lossy(&chunk));
    }
    // What was followed is what is read afterwards, line for line.
    let whole = stack.api.get(&format!("/jobs/{job}/logs")).await;
    assert_eq!(whole.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(whole.text, log);

    // A job that has ended stays as it is, and the one that runs is not stopped for it.
    std::fs::write(control.path().join("open"), "").unwrap();
    std::fs::remove_file(control.path().join("gate")).unwrap();
    let again = stack
        .api
        .post_empty(&format!("/jobs/{job}/cancel"))
        .await
        .expect(200);
    assert_eq!(again["status"], "cancelled");
    let next = stack.sync(id).await;
    let done = next["job_id"].as_str().unwrap();
    let too_late = stack
        .api
        .post_empty(&format!("/jobs/{done}/cancel"))
        .await
        .expect(200);
    assert_eq!(too_late["status"], "succeeded");
    for path in ["/jobs/999/logs", "/jobs/x/logs?follow=true"] {
        stack
            .api
            .get(path)
            .await
            .expect_problem(404, "job_not_found");
    }
    let unknown = stack.api.post_empty("/jobs/999/cancel").await;
    unknown.expect_problem(404, "job_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_airbyte_stops_over_the_schema_has_failed_with_that_reason() {
    let control = tempfile::tempdir().unwrap();
    let (stack, made) = given::gated(Database::Sqlite, control.path()).await;
    let id = made["id"].as_str().unwrap();
    stack.sync(id).await;
    // The cursor's column is gone: breaking by Airbyte's own diff.
    std::fs::write(control.path().join("lost_cursor"), "").unwrap();
    let source = json!({"sourceId": made["airbyte_source_id"], "disable_cache": true});
    let airbyte = stack.airbyte_api().await;
    airbyte
        .post("/api/v1/sources/discover_schema", &source)
        .await
        .expect(200);
    let path = format!("/connections/{id}/sync");
    let started = stack.api.post_empty(&path).await.expect(200);
    let ended = stack.job_ended(started["job_id"].as_str().unwrap()).await;
    assert_eq!(ended["status"], "failed", "{ended}");
    let reason = ended["error_message"].as_str().unwrap();
    assert!(reason.contains("breaking change"), "{reason}");
}
