//! Connectors that break the protocol or flood the engine.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Engine, alive, eventually, left, text};
use crate::sqlite::rows;

const ACCOUNTS: [&str; 3] = ["Account-00000001", "Account-00000002", "Account-00000003"];

/// The attempt's log in the data directory: its size and text.
fn log_file(engine: &Engine, info: &Value, attempt: usize) -> (u64, String) {
    let name = format!("job-{}-attempt-{attempt}.log", info["job"]["id"]);
    let path = engine.place.home().join("logs").join(name);
    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    (std::fs::metadata(path).unwrap().len(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_not_messages_are_logged_briefly_and_lose_no_record() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("garbage_read", "");
    let info = engine.api.sync(&connection).await;
    assert_eq!(info["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 3);
    assert_eq!(engine.place.written_ids(), ACCOUNTS);
    let (len, log) = log_file(&engine, &info, 0);
    for shown in ["no JSON at all", "not UTF-8: \u{fffd}", "zzzz"] {
        assert!(log.contains(shown), "{shown} is not in the log");
    }
    assert!(len < 1024 * 1024, "a line of 50 MB left a log of {len}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_stderr_stops_no_sync_and_leaves_a_bounded_log() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("flood_stderr", "");
    let info = engine.api.sync(&connection).await;
    assert_eq!(engine.place.written_ids(), ACCOUNTS);
    let (len, log) = log_file(&engine, &info, 0);
    assert!(log.contains("the log is full"));
    assert!(log.contains("attempt 0: Succeeded"), "the end is told");
    assert!(len < 1200 * 1024, "8 MB of text left a log of {len}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_exits_with_137_fails_its_attempt_and_resumes_from_its_state() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("exit_read", "137");
    let info = engine.api.sync(&connection).await;
    let first = &info["attempts"][0]["attempt"];
    assert_eq!(first["status"], "failed");
    let failure = &first["failureSummary"]["failures"][0];
    assert_eq!(failure["failureOrigin"], "source");
    assert_eq!(failure["failureType"], "system_error");
    assert_eq!(
        failure["externalMessage"],
        "the source exited with code 137"
    );
    assert_eq!(engine.place.written_ids(), ACCOUNTS, "none twice");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_read_is_a_failure_and_no_state_is_kept() {
    let engine = Engine::start_with(|options| options.retry.complete_in_a_row = 1).await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("torn_record", "");
    let job = engine.api.start_sync(&connection).await;
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "failed");
    let failure = &info["attempts"][0]["attempt"]["failureSummary"]["failures"][0];
    assert_eq!(failure["failureOrigin"], "source");
    let said = failure["externalMessage"].as_str().unwrap();
    assert!(
        said.contains("a record or state that cannot be parsed: {"),
        "{said}"
    );
    assert!(said.len() < 400, "{said}");
    engine.place.unset("torn_record");
    engine.api.sync(&connection).await;
    assert_eq!(engine.place.written_ids(), ACCOUNTS, "nothing is missing");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_left_its_connectors_session_ends_with_the_run() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("leave_session", "");
    engine.api.sync(&connection).await;
    let child = left(&engine.place, "child").await;
    eventually("the child ends", async || match alive(&child) {
        true => Err(format!("{child} runs")),
        false => Ok(()),
    })
    .await;
    engine.stop().await;
}

/// Limits that a test does not wait long for.
const SOON: Duration = Duration::from_millis(400);

/// The first failure of a job that ended after one attempt.
fn failure(info: &Value) -> &Value {
    assert_eq!(info["job"]["status"], "failed", "{info:#}");
    &info["attempts"][0]["attempt"]["failureSummary"]["failures"][0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_fails_its_attempt_and_keeps_its_state() {
    let engine = Engine::start_with(|options| {
        options.timing.source_silence = SOON;
        options.retry.partial_in_total = 1;
    })
    .await;
    let connection = engine.api.accounts("recorder").await;
    for misbehaviour in ["gate", "ignore_sigterm"] {
        engine.place.set(misbehaviour, "");
    }
    let job = engine.api.start_sync(&connection).await;
    let info = engine.api.ended(job).await;
    let failure = failure(&info);
    assert_eq!(failure["failureOrigin"], "source");
    assert_eq!(failure["failureType"], "heartbeat_timeout");
    assert_eq!(
        failure["externalMessage"],
        "the source has sent nothing for 400ms"
    );
    engine.api.state_at(&connection, 2).await;
    engine.place.set("open", "");
    engine.api.sync(&connection).await;
    assert_eq!(engine.place.written_ids(), ACCOUNTS, "none twice");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_stops_reading_fails_its_attempt() {
    let engine = Engine::start_with(|options| {
        options.timing.destination_blocked = SOON;
        options.retry.complete_in_a_row = 1;
    })
    .await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("records", "20000");
    engine.place.set("stop_reading", "");
    let job = engine.api.start_sync(&connection).await;
    let info = engine.api.ended(job).await;
    let failure = failure(&info);
    assert_eq!(failure["failureOrigin"], "destination");
    assert_eq!(failure["failureType"], "destination_timeout");
    assert_eq!(
        failure["externalMessage"],
        "the destination has read nothing for 400ms"
    );
    let runs = engine.place.home().join("runs");
    assert_eq!(std::fs::read_dir(runs).unwrap().count(), 0, "nothing runs");
    engine.place.unset("stop_reading");
    engine.api.sync(&connection).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_source_that_ends_well_without_a_state_has_failed() {
    let engine = Engine::start_with(|options| options.retry.complete_in_a_row = 1).await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("no_state", "");
    let job = engine.api.start_sync(&connection).await;
    let info = engine.api.ended(job).await;
    let failure = failure(&info);
    assert_eq!(failure["failureOrigin"], "source");
    let said = text(&failure["externalMessage"]);
    assert!(
        said.contains("without a state for stream Account") && said.contains("3 records"),
        "{said}"
    );
    // A full refresh has no place to go on from.
    let streams = json!([{"name": "Contact", "syncMode": "full_refresh_append"}]);
    let whole = engine.api.connection("recorder", streams).await;
    engine.api.sync(&whole).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_the_wrong_type_becomes_null_and_is_reported() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("sqlite").await;
    engine.place.set("wrong_type", "");
    let info = engine.api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 3);
    let warehouse = engine.place.warehouse();
    let found = rows(
        &warehouse,
        "SELECT Id || '|' || coalesce(AnnualRevenue, 'null') || '|' ||
         json_extract(_airbyte_meta, '$.changes') FROM Account ORDER BY Id",
    )
    .await;
    let change =
        r#"[{"field":"AnnualRevenue","change":"NULLED","reason":"DESTINATION_TYPECAST_ERROR"}]"#;
    let expected = ACCOUNTS.map(|id| format!("{id}|null|{change}"));
    assert_eq!(found, expected);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_50_mb_arrives_whole() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("sqlite").await;
    engine.place.set("records", "1");
    engine.place.set("long_name", "52428800");
    engine.api.sync(&connection).await;
    let lengths = "SELECT CAST(length(Name) AS TEXT) FROM Account";
    let found = rows(&engine.place.warehouse(), lengths).await;
    assert_eq!(found, ["52428800"]);
    engine.stop().await;
}
