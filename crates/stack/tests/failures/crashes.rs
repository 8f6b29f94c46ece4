//! kill -9 in the middle: after a restart nothing is doubled, lost or orphaned.

use serde_json::json;
use test_support::{Database, Stack, StackBuilder, eventually, eventually_within};

/// A table large enough that a sync can be caught in the middle.
const ROWS: i64 = 300_000;

async fn many_rows(stack: &Stack) {
    stack
        .sqlite(
            "big.db",
            &format!(
                "CREATE TABLE events (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP NOT NULL);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
                 INSERT INTO events SELECT i, printf('note %d', i), '2026-01-01T00:00:00Z' FROM n;"
            ),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_airbyte_finishes_its_sync_after_a_restart() {
    let mut stack = StackBuilder::four_processes(Database::postgres().await)
        .start()
        .await;
    many_rows(&stack).await;
    let id = stack.onboard_sqlite("big", "big.db").await;
    let started = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await
        .expect(200);
    let job = started["job_id"].as_str().unwrap().to_owned();

    // In the middle: some rows have arrived, not all.
    eventually(async || {
        let rows = stack
            .try_warehouse_value("SELECT count(*) FROM big_events")
            .await;
        let rows: i64 = rows.unwrap_or_default().parse().unwrap_or_default();
        assert!(rows < ROWS, "the sync ended before it could be interrupted");
        if rows > 0 { Ok(()) } else { Err(rows) }
    })
    .await;
    stack.airbyte.as_mut().unwrap().kill();
    eventually(async || {
        let ready = stack.api.get("/ready").await;
        if ready.status == 503 {
            Ok(())
        } else {
            Err(ready.text)
        }
    })
    .await;
    let refused = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await;
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    refused.expect_problem(503, "airbyte_unavailable");

    stack.start_airbyte().await;
    let ended = stack.job_ended(&job).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert!(ended["attempts"].as_i64().unwrap() >= 2, "{ended}");
    let rows = stack
        .warehouse_value("SELECT count(*) || '/' || count(DISTINCT id) FROM big_events")
        .await;
    assert_eq!(rows.unwrap(), format!("{ROWS}/{ROWS}"));
    assert_eq!(
        stack.sync(&id).await["rows_synced"],
        0,
        "nothing is left to read"
    );
    let jobs = stack
        .api
        .get(&format!("/connections/{id}/jobs"))
        .await
        .expect(200);
    assert_eq!(jobs.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_orchestrator_leaves_no_orphan_and_no_double() {
    let control = tempfile::tempdir().unwrap();
    let mut stack = StackBuilder::four_processes(Database::postgres().await)
        .held_salesforce(control.path())
        .start()
        .await;
    let config = json!({"client_id": "a", "client_secret": "b", "refresh_token": "c",
        "is_sandbox": false, "auth_type": "Client", "start_date": "2024-01-01T00:00:00Z"});
    let body =
        json!({"source_type": "salesforce", "connection_name": "crm", "source_config": config});

    // The source exists and its check hangs: the middle of an onboarding.
    std::fs::write(control.path().join("hang_check"), "").unwrap();
    let api = stack.api.clone();
    let sent = body.clone();
    let caller = tokio::spawn(async move {
        let _ = api
            .request(reqwest::Method::POST, "/connections/onboard")
            .json(&sent)
            .send()
            .await;
    });
    eventually(async || match stack.airbyte_objects().await {
        (1, 0) => Ok(()),
        other => Err(other),
    })
    .await;
    stack.orchestrator.as_mut().unwrap().kill();
    caller.await.unwrap();
    std::fs::remove_file(control.path().join("hang_check")).unwrap();

    stack.start_orchestrator().await;
    // The lease of the killed process expires; then another one resumes, with the secrets.
    let row = eventually_within(std::time::Duration::from_secs(90), async || {
        let all = stack.api.get("/connections").await.expect(200);
        if all[0]["status"] == "ACTIVE" {
            Ok(all[0].clone())
        } else {
            Err(all)
        }
    })
    .await;
    assert_eq!(stack.airbyte_objects().await, (1, 1));

    let made = stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect(200);
    assert_eq!(made["id"], row["id"]);
    assert_eq!(stack.airbyte_objects().await, (1, 1));
    stack.sync(made["id"].as_str().unwrap()).await;
}
