//! Clocks that are ten minutes apart: two orchestrators on one registry.

use serde_json::json;
use test_support::{Database, StackBuilder, eventually_within};

use std::path::Path;
use std::time::Duration;

/// Debian's `libfaketime`; scripts/test.sh names the package.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

fn variables(offset: &'static str) -> [(&'static str, &'static str); 3] {
    [
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME", offset),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_whose_clocks_differ_share_duties_and_tell_each_job_once() {
    if !Path::new(LIBRARY).is_file() {
        eprintln!("skipped: {LIBRARY} is not there");
        return;
    }
    let mut stack = StackBuilder::four_processes(Database::postgres().await)
        .start()
        .await;
    let fill = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO orders (note) VALUES ('a')";
    stack.sqlite("shop.db", fill).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    let (mut ahead, _) = stack
        .start_replica(
            "orchestrator",
            "SERVICE_PORT_ORCHESTRATOR",
            &variables("+5m"),
        )
        .await;
    let (_behind, behind_api) = stack
        .start_replica(
            "orchestrator",
            "SERVICE_PORT_ORCHESTRATOR",
            &variables("-5m"),
        )
        .await;
    stack.orchestrator.as_mut().unwrap().stop().await;
    let connection = behind_api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    let body = json!({"connectionId": connection["airbyte_connection_id"], "jobType": "sync"});
    let airbyte = stack.airbyte_api().await;
    let mut jobs = Vec::new();
    stack.api = behind_api;
    for turn in 0..2 {
        let started = airbyte.post("/api/public/v1/jobs", &body).await.expect(200);
        let job = started["jobId"].to_string();
        let path = format!("/jobs/{job}");
        eventually_within(Duration::from_secs(90), async || {
            let answer = stack.api.get(&path).await;
            let has_ended = answer.status == 200 && answer.json()["status"] == "succeeded";
            if has_ended { Ok(()) } else { Err(answer.text) }
        })
        .await;
        jobs.push(job);
        if turn == 0 {
            // The other takes over what this one has, although its clock says that it was renewed
            // in the future.
            ahead.kill();
        }
    }
    let mut listener = stack
        .api
        .listen("/events?after=0&type=sync.started,sync.succeeded", None)
        .await;
    let mut heard = Vec::new();
    for _ in 0..jobs.len() * 2 {
        let message = listener.next().await.unwrap();
        heard.push((
            message.data["data"]["job_id"].as_str().unwrap().to_owned(),
            message.event,
        ));
    }
    let expected: Vec<(String, String)> = jobs
        .iter()
        .flat_map(|job| {
            ["sync.started", "sync.succeeded"].map(|event| (job.clone(), event.to_owned()))
        })
        .collect();
    assert_eq!(heard, expected);
    eventually_within(Duration::from_secs(30), async || {
        let listed = stack
            .api
            .get(&format!("/connections/{id}/jobs"))
            .await
            .expect(200);
        let count = listed.as_array().unwrap().len();
        if count == jobs.len() {
            Ok(())
        } else {
            Err(listed)
        }
    })
    .await;
}
