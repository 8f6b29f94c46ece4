//! The engine killed at every kind of moment of a sync: nothing that was acknowledged is lost, and
//! with `append_dedup` nothing is there twice.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::harness::{Place, eventually, left};
use crate::restart::Process;
use crate::sqlite::{database, rows};

const RECORDS: usize = 40;
const IDS: &str = "SELECT Id FROM Account ORDER BY Id";

fn accounts() -> Vec<String> {
    (1..=RECORDS)
        .map(|index| format!("Account-{index:08}"))
        .collect()
}

/// Checks that the job ends well after a new start, and what is in the warehouse.
async fn recovers(place: &Arc<Place>, connection: &str, job: i64, moment: &str) {
    let engine = Process::start(place).await;
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{moment}: {info:#}");
    let attempts = info["attempts"].as_array().unwrap();
    assert_eq!(attempts[0]["attempt"]["status"], "failed", "{moment}");
    // A commit that waits for long enough has failed once before the kill.
    assert!(attempts.len() >= 2, "{moment}");
    let found = rows(&place.warehouse(), IDS).await;
    assert_eq!(found, accounts(), "{moment}");
    engine.api.state_at(connection, RECORDS as u32).await;
    let runs = std::fs::read_dir(place.home().join("runs")).unwrap();
    assert_eq!(runs.count(), 0, "{moment}: no directory of a run is left");
}

async fn begun(place: &Arc<Place>) -> (Process, String, i64) {
    place.set("records", &RECORDS.to_string());
    let engine = Process::start(place).await;
    let connection = engine.api.accounts("sqlite").await;
    let job = engine.api.start_sync(&connection).await;
    (engine, connection, job)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_of_a_read_a_sync_loses_and_doubles_nothing() {
    for moment in ["first", "unstated", "", "last", "end"] {
        let place = Arc::new(Place::new());
        place.set("gate", moment);
        let (mut engine, connection, job) = begun(&place).await;
        left(&place, "waiting").await;
        engine.kill();
        place.set("open", "");
        recovers(&place, &connection, job, &format!("gate {moment:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_destination_commits_a_sync_loses_and_doubles_nothing() {
    let place = Arc::new(Place::new());
    place.set("gate", "first");
    let (mut engine, connection, job) = begun(&place).await;
    left(&place, "waiting").await;
    // Another session writes to the warehouse, so the commit waits.
    let mut other = database(&place.warehouse()).await;
    let lock =
        "CREATE TABLE IF NOT EXISTS other (n); BEGIN IMMEDIATE; INSERT INTO other VALUES (1)";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    place.set("open", "");
    let body = json!({"id": job});
    eventually("the source has sent everything", async || {
        let info = engine.api.config_ok("/jobs/get", body.clone()).await;
        match &info["job"]["aggregatedStats"]["recordsEmitted"] {
            Value::Number(emitted) if emitted.as_u64() >= Some(RECORDS as u64) => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    engine.kill();
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    recovers(&place, &connection, job, "commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_a_sync_that_appends_keeps_every_acknowledged_record() {
    let place = Arc::new(Place::new());
    place.set("records", &RECORDS.to_string());
    place.set("gate", "");
    let mut engine = Process::start(&place).await;
    let streams = json!([{"name": "Account", "syncMode": "incremental_append"}]);
    let connection = engine.api.connection("sqlite", streams).await;
    let job = engine.api.start_sync(&connection).await;
    // Half of what is left arrives before each kill.
    let mut acknowledged = 0;
    for _ in 0..3 {
        acknowledged += (RECORDS - acknowledged).div_ceil(2);
        engine.api.state_at(&connection, acknowledged as u32).await;
        engine.kill();
        let found = rows(&place.warehouse(), IDS).await;
        assert_eq!(found, accounts()[..acknowledged], "what was acknowledged");
        engine = Process::start(&place).await;
    }
    place.set("open", "");
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    let found = rows(&place.warehouse(), IDS).await;
    assert_eq!(found, accounts(), "a kill at a state repeats nothing");
}
