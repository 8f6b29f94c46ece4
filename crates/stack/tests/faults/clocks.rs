//! Clocks that are ten minutes apart: two orchestrators on one registry.

use serde_json::json;
use test_support::{Database, StackBuilder, eventually_within, skip};

use std::path::Path;
use std::time::Duration;

use crate::flows::{Flow, Shop};
use crate::table;

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
async fn replicas_whose_clocks_differ_share_leadership_and_publish_each_job_once() {
    if !Path::new(LIBRARY).is_file() {
        skip("clocks", &format!("{LIBRARY} is not installed"));
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
            // The other takes over from this one, although by its clock the lease was renewed in
            // the future.
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

#[tokio::test(flavor = "multi_thread")]
async fn each_flow_works_for_any_clocks_of_its_services() {
    if !Path::new(LIBRARY).is_file() {
        skip("clocks", &format!("{LIBRARY} is not installed"));
        return;
    }
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .with("AAM_LEASE_SECONDS", "3")
        .start()
        .await;
    let mut shop = Shop::new(stack).await;
    let mut rows = Vec::new();
    for (orchestrator, agent, fault) in [
        ("+5m", "-5m", "orchestrator 5 min ahead, agent 5 min behind"),
        ("-5m", "+5m", "orchestrator 5 min behind, agent 5 min ahead"),
    ] {
        let (_agent, agent_api) = shop
            .stack
            .start_replica(
                "drift_repair_agent",
                "SERVICE_PORT_DRIFT_REPAIR",
                &variables(agent),
            )
            .await;
        let mut own = variables(orchestrator).to_vec();
        own.push(("DRIFT_REPAIR_URL", &agent_api.base));
        let replica = shop
            .stack
            .start_replica("orchestrator", "SERVICE_PORT_ORCHESTRATOR", &own);
        let (_replica, api) = replica.await;
        // The ones with the right time are away.
        for process in [&mut shop.stack.orchestrator, &mut shop.stack.agent] {
            if let Some(mut process) = process.take() {
                process.kill();
            }
        }
        shop.stack.api = api;
        for &flow in Flow::ALL {
            rows.push(
                shop.row("clocks", fault, flow, async |_| {}, async |_| {})
                    .await,
            );
        }
        // By the clock that leases are written with.
        let metrics = shop.stack.api.get("/metrics").await.text;
        let ages = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("aam_lease_age_seconds{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
        let oldest = ages.reduce(f64::max);
        assert!(oldest.is_some_and(|age| age < 10.0), "{oldest:?}");
    }
    table::print(&rows);
}
