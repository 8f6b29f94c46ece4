//! Repairs against one another and against jobs.

use serde_json::{Value, json};
use test_support::{Database, Stack, StackBuilder, eventually, salesforce};

use super::{heal, onboard, origins, shop, version};

/// A catalog that differs with `n`.
fn catalog(id: &str, n: usize) -> Value {
    let columns = ["note", "total"];
    let mut properties = json!({"id": {}, "updated_at": {}});
    for (bit, column) in columns.iter().enumerate() {
        if n & (1 << bit) != 0 {
            properties[*column] = json!({});
        }
    }
    json!({"connection_id": id, "new_sync_catalog": {"streams": [{
        "stream": {"name": "orders", "json_schema": {"type": "object", "properties": properties}},
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_repairs_at_once_leave_one_version_each() {
    let (stack, id) = shop().await;
    let answers = futures::future::join_all((0..20).map(|n| {
        let body = catalog(&id, n % 4);
        let api = stack.agent_api.clone();
        async move { api.post("/repair/apply_new_catalog", &body).await }
    }))
    .await;
    let mut made: Vec<i64> = answers
        .iter()
        .map(|answer| answer.expect(200))
        .filter(|answer| answer["new_version"] != answer["previous_version"])
        .map(|answer| answer["new_version"].as_i64().unwrap())
        .collect();
    made.sort_unstable();
    let expected: Vec<i64> = (2..2 + made.len() as i64).collect();
    assert_eq!(made, expected, "each repair has a version of its own");
    assert_eq!(version(&stack, &id).await, made.len() as i64 + 1);
    assert_eq!(origins(&stack, &id).await.len(), made.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_syncs_at_once_are_one_job() {
    let (stack, id) = shop().await;
    let path = format!("/connections/{id}/sync");
    let answers = futures::future::join_all((0..50).map(|_| stack.api.post_empty(&path))).await;
    let jobs: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| answer.expect(200)["job_id"].as_str().unwrap().to_owned())
        .collect();
    let triggered = answers
        .iter()
        .filter(|answer| answer.json()["status"] == "triggered")
        .count();
    // A caller who lost the trigger's response cannot distinguish its own job from another's.
    let honest = std::env::var("AAM_TEST_AIRBYTE_MODE").is_err();
    assert!(
        triggered == jobs.len() || (!honest && triggered > jobs.len()),
        "whoever did not trigger a job attached to one: {triggered} triggered {jobs:?}"
    );
    for job in jobs {
        assert_eq!(stack.job_ended(&job).await["status"], "succeeded");
    }
}

/// A stack whose Salesforce reads half of its records and waits.
async fn gated(control: &std::path::Path) -> (Stack, String) {
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .held_salesforce(control)
        .start()
        .await;
    let body = salesforce("crm");
    let id = onboard(&stack, &body).await;
    (stack, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heal_waits_for_the_running_job_and_an_applied_catalog_is_refused() {
    let control = tempfile::tempdir().unwrap();
    let (stack, id) = gated(control.path()).await;
    std::fs::write(control.path().join("gate"), "").unwrap();
    let started = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await
        .expect(200);
    let job = started["job_id"].as_str().unwrap().to_owned();
    eventually(async || {
        let now = stack.api.get(&format!("/jobs/{job}")).await.expect(200);
        if now["status"] == "running" {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;

    let again = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await
        .expect(200);
    assert_eq!(
        (&again["status"], again["job_id"].as_str()),
        (&json!("attached"), Some(job.as_str()))
    );
    let body = json!({"connection_id": id, "new_sync_catalog": {"streams": [{
        "stream": {"name": "Account", "json_schema": {}},
        "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}});
    let refused = stack
        .agent_api
        .post("/repair/apply_new_catalog", &body)
        .await;
    let problem = refused.expect_problem(409, "job_running");
    assert!(
        problem["detail"].as_str().unwrap().contains(&job),
        "{problem}"
    );
    assert_eq!(version(&stack, &id).await, 1);

    std::fs::write(control.path().join("extra_column"), "").unwrap();
    let (api, path) = (stack.api.clone(), format!("/connections/{id}/heal"));
    let waiting = tokio::spawn(async move { api.post(&path, &json!({"accept": "all"})).await });
    // The heal is under way, and has changed nothing.
    eventually(async || {
        let refused = stack
            .agent_api
            .post("/repair/plan", &json!({"connection_id": id}))
            .await;
        let plan = refused.expect(200);
        if plan["plan"]["changes"].as_array().unwrap().is_empty() {
            Err(plan)
        } else {
            Ok(())
        }
    })
    .await;
    assert!(!waiting.is_finished());
    std::fs::write(control.path().join("open"), "").unwrap();
    let healed = waiting.await.unwrap().expect(200);
    assert_eq!(healed["outcome"], "healed", "{healed}");
    assert_eq!(stack.job_ended(&job).await["status"], "succeeded");
    assert_eq!(version(&stack, &id).await, 2);
    super::follow_up(&stack, &healed).await;
    assert_eq!(heal(&stack, &id, json!({})).await["outcome"], "no_drift");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_whose_process_is_killed_is_resumed() {
    let control = tempfile::tempdir().unwrap();
    let (mut stack, id) = gated(control.path()).await;
    std::fs::write(control.path().join("gate"), "").unwrap();
    let started = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await
        .expect(200);
    let job = started["job_id"].as_str().unwrap().to_owned();
    std::fs::write(control.path().join("extra_column"), "").unwrap();
    let (api, path) = (stack.api.clone(), format!("/connections/{id}/heal"));
    let caller = tokio::spawn(async move { api.post(&path, &json!({})).await.status });
    // The heal holds the connection and waits for the job.
    eventually(async || {
        let log = stack.agent.as_ref().unwrap().log();
        if log.contains("waiting for job") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    stack.agent.as_mut().unwrap().kill();
    assert_eq!(caller.await.unwrap(), 503);
    std::fs::write(control.path().join("open"), "").unwrap();
    assert_eq!(stack.job_ended(&job).await["status"], "succeeded");

    stack.start_agent().await;
    test_support::eventually_within(std::time::Duration::from_secs(90), async || {
        let now = stack
            .api
            .get(&format!("/connections/{id}"))
            .await
            .expect(200);
        if now["catalog_version"] == 2 && now["status"] == "ACTIVE" {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;
    assert_eq!(origins(&stack, &id).await, ["repair", "onboarding"]);
}
