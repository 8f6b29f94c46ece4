//! Connectors that break the protocol or flood the engine.

use serde_json::Value;

use crate::harness::{Engine, alive, eventually, left};

const ACCOUNTS: [&str; 3] = ["Account-00000001", "Account-00000002", "Account-00000003"];

/// The attempt's log in the data directory: its size and text.
fn log_file(engine: &Engine, info: &Value, attempt: usize) -> (u64, String) {
    let name = format!("job-{}-attempt-{attempt}.log", info["job"]["id"]);
    let path = engine.place.home().join("logs").join(name);
    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    (std::fs::metadata(path).unwrap().len(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_no_messages_are_logged_briefly_and_lose_no_record() {
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
async fn a_source_that_exits_with_137_fails_its_attempt_and_goes_on_from_its_state() {
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
        said.contains("a record or state that does not read: {"),
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
