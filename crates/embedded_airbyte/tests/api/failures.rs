//! What goes wrong: reasons, retries, cancels, stragglers, secrets in logs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Engine, alive, eventually, left, text};

fn reason(info: &Value, attempt: usize) -> &Value {
    &info["attempts"][attempt]["attempt"]["failureSummary"]["failures"][0]
}

fn log(info: &Value, attempt: usize) -> String {
    let lines = info["attempts"][attempt]["logs"]["logLines"]
        .as_array()
        .unwrap();
    lines.iter().map(|line| text(line) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_fails_at_once_and_keeps_what_was_committed() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("fail_read", "config_error");
    let info = api.ended(api.start_sync(&connection).await).await;
    assert_eq!(info["job"]["status"], "failed");
    assert_eq!(
        info["attempts"].as_array().unwrap().len(),
        1,
        "no retry can help"
    );
    let failure = reason(&info, 0);
    assert_eq!(failure["failureOrigin"], "source");
    assert_eq!(failure["failureType"], "config_error");
    assert_eq!(failure["externalMessage"], "the source failed");
    assert_eq!(failure["internalMessage"], "on demand");
    assert_eq!(failure["fromTraceMessage"], true);
    assert_eq!(
        info["attempts"][0]["attempt"]["failureSummary"]["partialSuccess"],
        true
    );
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 2);
    let state = json!({"connectionId": connection});
    let state = api.config_ok("/state/get", state).await;
    assert_eq!(
        state["streamState"][0]["streamState"]["index"], 2,
        "a failed sync checkpoints"
    );

    engine.place.unset("fail_read");
    engine.place.set("fail_check", "still wrong");
    let info = api.ended(api.start_sync(&connection).await).await;
    assert_eq!(reason(&info, 0)["failureType"], "config_error");
    assert!(text(&reason(&info, 0)["externalMessage"]).contains("still wrong"));
    engine.place.unset("fail_check");
    api.sync(&connection).await;
    assert_eq!(
        engine.place.written_ids(),
        ["Account-00000001", "Account-00000002", "Account-00000003"]
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_commit_nothing_are_repeated_four_times() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api
        .connection("recorder", json!([{"name": "Account"}]))
        .await;
    engine.place.set("exit_read", "7");
    let info = api.ended(api.start_sync(&connection).await).await;
    assert_eq!(info["job"]["status"], "failed");
    let attempts = info["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 5);
    for (number, attempt) in attempts.iter().enumerate() {
        assert_eq!(attempt["attempt"]["id"], number);
        assert_eq!(attempt["attempt"]["status"], "failed");
    }
    let failure = reason(&info, 0);
    assert_eq!(
        (&failure["failureOrigin"], &failure["failureType"]),
        (&json!("source"), &json!("system_error"))
    );
    assert_eq!(failure["externalMessage"], "the source exited with code 7");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_failure_resumes_from_its_state_in_the_next_attempt() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("records", "6");
    engine.place.set("exit_read", "9");
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    eventually("an attempt fails", async || {
        let info = api.config_ok("/jobs/get", json!({"id": job})).await;
        if info["attempts"].as_array().unwrap().len() > 1 {
            Ok(())
        } else {
            Err(info.to_string())
        }
    })
    .await;
    engine.place.unset("exit_read");
    engine.place.set("open", "");
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 6);
    let ids = engine.place.written_ids();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(
        (ids.len(), once.len()),
        (6, 6),
        "nothing is read twice: {ids:?}"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_ends_early_fails_the_attempt_as_its_own() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    for (code, message) in [
        ("4", "the destination exited with code 4"),
        ("0", "the destination ended before its input did"),
    ] {
        engine.place.set("exit_write", code);
        engine.place.set("gate", "");
        let info = api.ended(api.start_sync(&connection).await).await;
        assert_eq!(info["job"]["status"], "failed", "{info:#}");
        assert_eq!(reason(&info, 0)["failureOrigin"], "destination");
        assert_eq!(reason(&info, 0)["externalMessage"], message);
        assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 0);
    }
    engine.stop().await;
}

/// A job that fails once its only attempt has ended; its first failure and what it committed.
async fn fails_once(api: &Api, job: i64) -> (String, Value) {
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "failed", "{info:#}");
    let failure = reason(&info, 0);
    assert_eq!(failure["failureOrigin"], "destination", "{info:#}");
    let committed = info["job"]["aggregatedStats"]["recordsCommitted"].clone();
    (text(&failure["externalMessage"]), committed)
}

async fn emitted(api: &Api, job: i64, records: u64) {
    eventually("the source has sent its records", async || {
        let info = api.config_ok("/jobs/get", json!({"id": job})).await;
        let stats = &info["job"]["aggregatedStats"];
        match stats["recordsEmitted"].as_u64() >= Some(records) {
            true => Ok(()),
            false => Err(stats.to_string()),
        }
    })
    .await;
}

async fn unrepeated() -> Engine {
    Engine::start_with(|options| options.retry.complete_in_a_row = 1).await
}

/// Lets the destination leave once the source has ended; its attempt fails, with nothing committed.
async fn leaves_its_input_unread(engine: &Engine, job: i64) {
    let reader = left(&engine.place, "reader").await;
    eventually("the source has ended", async || match alive(&reader) {
        true => Err("it runs".to_owned()),
        false => Ok(()),
    })
    .await;
    engine.place.set("leave", "");
    let (message, committed) = fails_once(&engine.api, job).await;
    assert_eq!(message, "the destination ended before its input did");
    assert_eq!(committed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_reads_nothing_of_a_small_input_fails_the_attempt() {
    let engine = unrepeated().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("exit_whole", "");
    let job = api.start_sync(&connection).await;
    left(&engine.place, "not_reading").await;
    emitted(api, job, 3).await;
    leaves_its_input_unread(&engine, job).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_closes_its_input_and_ends_later_fails_the_attempt() {
    let engine = unrepeated().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("records", "100000");
    engine.place.set("close_stdin", "");
    let job = api.start_sync(&connection).await;
    leaves_its_input_unread(&engine, job).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_acknowledges_no_state_fails_the_attempt() {
    let engine = unrepeated().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("skip_states", "");
    let job = api.start_sync(&connection).await;
    let (message, committed) = fails_once(api, job).await;
    assert_eq!(
        message,
        "the destination ended without acknowledging 2 states"
    );
    assert_eq!(committed, 0);
    assert_eq!(engine.place.written_ids().len(), 3, "it was given all");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_lets_the_destination_read_its_input_to_the_end() {
    let engine = Engine::start_with(|options| {
        options.timing.kill_grace = std::time::Duration::from_secs(10);
    })
    .await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    api.state_at(&connection, 2).await;
    let path = format!("/api/public/v1/jobs/{job}");
    let (status, cancelled) = api.send(Method::DELETE, &path, None).await;
    assert_eq!(
        (status.as_u16(), &cancelled["status"]),
        (200, &json!("cancelled"))
    );
    assert!(engine.place.left("input_ended").is_some());
    assert_eq!(engine.place.written_ids().len(), 2);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_unknown_streams_or_without_a_key_fail_the_source() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    for (misbehaviour, word) in [("foreign_record", "Stranger"), ("no_key", "primary key")] {
        engine.place.set(misbehaviour, "");
        let info = api.ended(api.start_sync(&connection).await).await;
        engine.place.unset(misbehaviour);
        assert_eq!(info["job"]["status"], "failed", "{misbehaviour}");
        assert_eq!(reason(&info, 0)["failureOrigin"], "source");
        assert!(
            text(&reason(&info, 0)["externalMessage"]).contains(word),
            "{info:#}"
        );
    }
    assert!(engine.place.written_ids().is_empty());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_stops_a_stubborn_source_and_what_it_started_and_keeps_its_state() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    for misbehaviour in ["gate", "ignore_sigterm", "leave_child"] {
        engine.place.set(misbehaviour, "");
    }
    let job = api.start_sync(&connection).await;
    api.state_at(&connection, 2).await;
    let child = left(&engine.place, "child").await;
    assert!(alive(&child));
    assert_eq!(api.job_status(job).await, "running");
    let path = format!("/api/public/v1/jobs/{job}");
    let (status, cancelled) = api.send(Method::DELETE, &path, None).await;
    assert_eq!(
        (status.as_u16(), &cancelled["status"]),
        (200, &json!("cancelled"))
    );
    eventually("the child of the source ends", async || {
        if alive(&child) {
            Err("it lives".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    let info = api.config_ok("/jobs/get", json!({"id": job})).await;
    assert_eq!(reason(&info, 0)["failureType"], "manual_cancellation");
    assert_eq!(info["attempts"][0]["attempt"]["status"], "failed");
    let state = json!({"connectionId": connection});
    let state = api.config_ok("/state/get", state).await;
    assert_eq!(state["streamState"][0]["streamState"]["index"], 2);
    let (status, again) = api.send(Method::DELETE, &path, None).await;
    assert_eq!(
        (status.as_u16(), &again["status"]),
        (200, &json!("cancelled"))
    );
    let unknown = "/api/public/v1/jobs/4711";
    assert_eq!(api.send(Method::DELETE, unknown, None).await.0, 409);
    for misbehaviour in ["gate", "ignore_sigterm", "leave_child"] {
        engine.place.unset(misbehaviour);
    }
    api.sync(&connection).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connector_fails_the_attempt_and_the_next_one_succeeds() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    left(&engine.place, "waiting").await;
    let runs = engine.place.home().join("runs");
    let started = |run: std::fs::DirEntry| {
        let groups = std::fs::read_to_string(run.path().join("groups")).ok()?;
        let has_state = run.path().join("catalog.json").exists();
        let pid = groups.split_whitespace().next()?.to_owned();
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        (has_state && command.contains("\0read\0")).then_some(pid)
    };
    let pid = std::fs::read_dir(&runs)
        .unwrap()
        .filter_map(|run| started(run.unwrap()))
        .next();
    let pid = pid.expect("the source runs");
    engine.place.set("open", "");
    engine.place.unset("gate");
    std::process::Command::new("kill")
        .args(["-9", &pid])
        .status()
        .unwrap();
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    let left = std::fs::read_dir(&runs).unwrap().count();
    assert_eq!(left, 0, "the directories of the runs are gone");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_kept_per_attempt_without_secrets() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("say_secret", "");
    let info = api.sync(&connection).await;
    assert_eq!(info["attempts"][0]["logType"], "formatted");
    let log = log(&info, 0);
    assert!(
        log.contains("source > on stderr") && log.contains("id-of-client"),
        "{log}"
    );
    for secret in ["secret-of-client", "token-to-refresh", "token-of-target"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let body = json!({"id": info["job"]["id"]});
    let bare = api.config_ok("/jobs/get_without_logs", body.clone()).await;
    assert!(bare["attempts"][0].get("logs").is_none());
    let light = api.config_ok("/jobs/get_light", body).await;
    assert!(light.get("attempts").is_none() && light["job"]["status"] == "succeeded");
    engine.stop().await;
}
