//! Clocks that are ten minutes apart: two orchestrators on one registry.

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
    let (mut ahead, ahead_api) = stack.start_replica(&variables("+5m")).await;
    let (_behind, behind_api) = stack.start_replica(&variables("-5m")).await;
    stack.orchestrator.as_mut().unwrap().stop().await;
    let mut jobs = Vec::new();
    for (turn, api) in [&ahead_api, &behind_api, &behind_api]
        .into_iter()
        .enumerate()
    {
        if turn == 2 {
            // The other takes over what this one had, although its clock says that it was renewed
            // in the future.
            ahead.kill();
        }
        stack.api = api.clone();
        let job = stack.sync(&id).await;
        jobs.push(job["job_id"].as_str().unwrap().to_owned());
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
