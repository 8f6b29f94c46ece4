//! What Airbyte's conflicts mean for a caller who requests a sync.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Database, Fault, Stack, StackBuilder, salesforce};

const JOBS: &str = "/api/public/v1/jobs";

/// A stack with a connection whose syncs wait while the file `gate` is in `control`.
async fn gated(control: &std::path::Path) -> (Stack, Value) {
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .proxied()
        // The faults are the tests' own.
        .with("EMBEDDED_AIRBYTE_MODE", "lenient")
        .held_salesforce(control)
        .start()
        .await;
    let body = salesforce("crm");
    let made = stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect(201);
    (stack, made)
}

/// The jobs of Airbyte's connection, and no other's.
async fn jobs(stack: &Stack, made: &Value) -> Vec<String> {
    let airbyte = stack.airbyte_api().await;
    let id = made["airbyte_connection_id"].as_str().unwrap();
    let jobs = airbyte.get(&format!("{JOBS}?connectionId={id}")).await;
    let jobs = jobs.expect(200)["data"].as_array().unwrap().clone();
    jobs.iter().map(|job| job["jobId"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_another_overtook_attaches_to_it_or_is_triggered_once_more() {
    let control = tempfile::tempdir().unwrap();
    let (stack, made) = gated(control.path()).await;
    let proxy = stack.proxy.as_ref().unwrap();
    let sync = format!("/connections/{}/sync", made["id"].as_str().unwrap());
    let conflict = "https://reference.airbyte.com/reference/errors#try-again-later";

    // Between the search for a running job and the trigger, another caller started one, which is
    // running.
    std::fs::write(control.path().join("gate"), "").unwrap();
    proxy.fail(Method::POST, JOBS, Fault::Overtaken(conflict), 1);
    let attached = stack.api.post_empty(&sync).await.expect(200);
    assert_eq!(attached["status"], "attached", "{attached}");
    let job = attached["job_id"].as_str().unwrap();
    assert_eq!(jobs(&stack, &made).await, [job]);
    std::fs::write(control.path().join("open"), "").unwrap();
    assert_eq!(stack.job_ended(job).await["status"], "succeeded");

    // The one that stood in the way has ended by the time it is looked for.
    proxy.fail(Method::POST, JOBS, Fault::Conflict(conflict), 1);
    let triggered = stack.api.post_empty(&sync).await.expect(200);
    assert_eq!(triggered["status"], "triggered", "{triggered}");
    let next = triggered["job_id"].as_str().unwrap();
    assert_ne!(next, job);
    assert_eq!(stack.job_ended(next).await["status"], "succeeded");
    assert_eq!(jobs(&stack, &made).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_disabled_or_locked_in_airbyte_has_its_own_code() {
    let control = tempfile::tempdir().unwrap();
    let (stack, made) = gated(control.path()).await;
    let sync = format!("/connections/{}/sync", made["id"].as_str().unwrap());
    let airbyte = stack.airbyte_api().await;
    let id = made["airbyte_connection_id"].as_str().unwrap();
    for (status, code) in [
        ("inactive", "connection_inactive"),
        ("locked", "connection_locked"),
    ] {
        airbyte
            .patch(
                &format!("/api/public/v1/connections/{id}"),
                &json!({"status": status}),
            )
            .await
            .expect(200);
        let refused = stack.api.post_empty(&sync).await;
        refused.expect_problem(409, code);
    }
    assert_eq!(jobs(&stack, &made).await, Vec::<String>::new());
}
