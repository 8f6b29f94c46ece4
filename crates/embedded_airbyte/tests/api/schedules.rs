//! Syncs that start by themselves, on a clock that is moved forward.

use std::time::Duration;

use embedded_airbyte::Clock;
use serde_json::{Value, json};

use crate::harness::{Api, Engine, eventually, left};

const HOUR: Duration = Duration::from_secs(3600);

async fn jobs(api: &Api, connection: &str) -> Vec<Value> {
    let body = json!({"configTypes": ["sync"], "configId": connection});
    let list = api.config_ok("/jobs/list", body).await;
    list["jobs"].as_array().unwrap().clone()
}

/// Waits until a connection has this many jobs, all of them ended.
pub(crate) async fn ended(api: &Api, connection: &str, count: usize) {
    eventually(&format!("{count} jobs have ended"), async || {
        let jobs = jobs(api, connection).await;
        let good = jobs.iter().all(|job| job["job"]["status"] == "succeeded");
        if jobs.len() == count && good {
            Ok(())
        } else {
            Err(format!("{jobs:?}"))
        }
    })
    .await;
}

async fn every(api: &Api, connection: &str, hours: u32) {
    let update = json!({"connectionId": connection, "scheduleType": "basic",
        "scheduleData": {"basicSchedule": {"timeUnit": "hours", "units": hours}}});
    api.config_ok("/connections/update", update).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basic_schedule_starts_at_once_and_then_at_each_interval() {
    let clock = Clock::system();
    let engine = Engine::start_with(|options| options.clock = clock.clone()).await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let manual = api
        .connection("recorder", json!([{"name": "Contact"}]))
        .await;
    every(api, &connection, 6).await;
    ended(api, &connection, 1).await;
    clock.advance(HOUR * 5);
    // A second connection's first run shows that the scheduler has looked since.
    let witness = api
        .connection("recorder", json!([{"name": "Contact"}]))
        .await;
    every(api, &witness, 24).await;
    ended(api, &witness, 1).await;
    assert_eq!(jobs(api, &connection).await.len(), 1, "an hour is left");
    clock.advance(HOUR);
    ended(api, &connection, 2).await;
    // However long it was overdue, it runs once.
    clock.advance(HOUR * 13);
    ended(api, &connection, 3).await;
    let times: Vec<i64> = jobs(api, &connection)
        .await
        .iter()
        .map(|job| job["job"]["createdAt"].as_i64().unwrap())
        .collect();
    assert!(
        times[0] - times[1] >= 13 * 3600 && times[1] - times[2] >= 6 * 3600,
        "{times:?}"
    );
    assert!(jobs(api, &manual).await.is_empty());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cron_runs_once_after_the_job_it_fell_into_and_not_while_switched_off() {
    let clock = Clock::system();
    let engine = Engine::start_with(|options| options.clock = clock.clone()).await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let path = format!("/connections/{connection}");
    // Far from a full hour, so that only the clock's own steps come across one.
    let into_hour = clock.now_ms().rem_euclid(3_600_000).unsigned_abs();
    clock.advance(Duration::from_millis(3_600_000 + 600_000 - into_hour));
    let hourly = json!({"schedule": {"scheduleType": "cron", "cronExpression": "0 0 * * * ?"}});
    let (status, patched) = api.patch(&path, hourly).await;
    assert_eq!(status, 200, "{patched}");
    assert_eq!(patched["schedule"]["cronExpression"], "0 0 * * * ? UTC");
    assert!(jobs(api, &connection).await.is_empty());

    engine.place.set("gate", "");
    clock.advance(HOUR);
    left(&engine.place, "waiting").await;
    clock.advance(HOUR * 3);
    assert_eq!(jobs(api, &connection).await.len(), 1, "one at a time");
    engine.place.set("open", "");
    ended(api, &connection, 2).await;

    api.patch(&path, json!({"status": "inactive"})).await;
    clock.advance(HOUR * 5);
    api.patch(&path, json!({"status": "active"})).await;
    let witness = api
        .connection("recorder", json!([{"name": "Contact"}]))
        .await;
    every(api, &witness, 24).await;
    ended(api, &witness, 1).await;
    assert_eq!(
        jobs(api, &connection).await.len(),
        2,
        "what was missed is not made up for"
    );
    clock.advance(HOUR);
    ended(api, &connection, 3).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_go_on_after_a_restart_without_running_twice() {
    let clock = Clock::system();
    let engine = Engine::start_with(|options| options.clock = clock.clone()).await;
    let connection = engine.api.accounts("recorder").await;
    every(&engine.api, &connection, 6).await;
    ended(&engine.api, &connection, 1).await;
    let place = engine.stop().await;
    let engine = Engine::start_at(place, |options| options.clock = clock.clone()).await;
    let api = &engine.api;
    let witness = api
        .connection("recorder", json!([{"name": "Contact"}]))
        .await;
    every(api, &witness, 24).await;
    ended(api, &witness, 1).await;
    assert_eq!(jobs(api, &connection).await.len(), 1);
    clock.advance(HOUR * 6);
    ended(api, &connection, 2).await;
    engine.stop().await;
}
