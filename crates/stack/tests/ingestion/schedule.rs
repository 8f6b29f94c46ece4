//! A schedule that fires on time, on a clock that is moved: before and after clocks change in
//! Berlin, and although everything was killed in between.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use test_support::{Database, Stack, StackBuilder, eventually_within};

use crate::{ingestion, lake, shop, text};

/// Debian's `libfaketime`; scripts/test.sh names the package.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// The clock that every process of a stack reads.
struct Clock {
    file: PathBuf,
    ahead: TimeDelta,
}

impl Clock {
    /// Moves it to a moment; from there it runs on.
    fn set(&mut self, to: &str) {
        let to: DateTime<Utc> = to.parse().unwrap();
        self.ahead = to - Utc::now();
        std::fs::write(&self.file, format!("+{}\n", self.ahead.num_seconds())).unwrap();
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }
}

fn time(status: &Value, member: &str) -> DateTime<Utc> {
    text(status, member).parse().unwrap()
}

/// Kills the processes that know of schedules, and starts them again.
async fn restart(stack: &mut Stack) {
    stack.airbyte.as_mut().unwrap().kill();
    stack.orchestrator.as_mut().unwrap().kill();
    stack.start_airbyte().await;
    stack.start_orchestrator().await;
}

/// Waits until a job after `last` succeeded; the status then.
async fn fired(stack: &Stack, path: &str, last: Option<DateTime<Utc>>) -> Value {
    eventually_within(Duration::from_secs(120), async || {
        let answer = stack.api.get(path).await;
        let now = answer.expect(200);
        let synced = now["lastSync"].as_str().map(|at| at.parse().unwrap());
        if synced > last { Ok(now) } else { Err(now) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_on_time_across_a_restart_and_a_change_of_clocks() {
    assert!(
        Path::new(LIBRARY).is_file(),
        "{LIBRARY} is missing; scripts/test.sh installs faketime"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut clock = Clock {
        file: folder.path().join("clock"),
        ahead: TimeDelta::zero(),
    };
    clock.set("2027-03-26T12:00:00Z");
    let mut stack = StackBuilder::four_processes(Database::Sqlite)
        .with("LD_PRELOAD", LIBRARY)
        .with("FAKETIME_TIMESTAMP_FILE", clock.file.to_str().unwrap())
        .with("FAKETIME_NO_CACHE", "1")
        .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start()
        .await;
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let schedule = json!({"scheduleType": "cron", "cronExpression": "30 2 * * *", "cronTimeZone": "Europe/Berlin"});
    let body = json!({"sourceId": source, "sinkId": sink, "schedule": schedule});
    let id = ingestion(&stack.api, &body).await;
    let path = format!("/ingestion/{id}/status");
    let mut status = stack.api.get(&path).await.expect(200);
    assert_eq!(status["lastSync"], Value::Null);
    let mut last = None;
    // Winter; the night in which 02:30 does not exist and comes at the end of the missing hour; summer.
    for due in [
        "2027-03-27T01:30:00Z",
        "2027-03-28T01:00:00Z",
        "2027-03-29T00:30:00Z",
    ] {
        let due: DateTime<Utc> = due.parse().unwrap();
        assert_eq!(time(&status, "nextSync"), due, "{status}");
        clock.set(&(due - TimeDelta::seconds(8)).to_rfc3339());
        restart(&mut stack).await;
        let early = stack.api.get(&path).await.expect(200);
        assert_eq!(time(&early, "nextSync"), due, "{early}");
        status = fired(&stack, &path, last).await;
        let started = time(&status["lastJob"], "startedAt");
        let late = started - due;
        assert!(
            late >= TimeDelta::zero() && late < TimeDelta::seconds(15),
            "due at {due}, started at {started}"
        );
        assert_eq!(status["lastJob"]["status"], "succeeded");
        let synced = time(&status, "lastSync");
        assert!(synced >= started && synced <= clock.now(), "{status}");
        last = Some(synced);
    }
    // Once each: nothing was made up for, nothing came twice.
    let jobs = stack
        .api
        .get(&format!("/connections/{id}/jobs"))
        .await
        .expect(200);
    assert_eq!(jobs.as_array().unwrap().len(), 3, "{jobs}");
    let by = |job: &Value| job["started_by"] == "airbyte";
    assert!(jobs.as_array().unwrap().iter().all(by), "{jobs}");
}
