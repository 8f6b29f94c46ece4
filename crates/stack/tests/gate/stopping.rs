//! A service that is stopped leaves nothing to wait for.

use std::time::Duration;

use test_support::{Database, StackBuilder, eventually, eventually_within, salesforce};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_orchestrator_hands_over_what_it_held() {
    let control = tempfile::tempdir().unwrap();
    let hang = control.path().join("hang_discover");
    std::fs::write(&hang, "").unwrap();
    let mut stack = StackBuilder::four_processes(Database::postgres().await)
        // Far longer than the test waits.
        .with("AAM_LEASE_SECONDS", "600")
        .held_salesforce(control.path())
        .start()
        .await;
    let body = salesforce("crm");
    let (api, sent) = (stack.api.clone(), body.clone());
    let waiting = tokio::spawn(async move {
        let request = api.request(reqwest::Method::POST, "/connections/onboard");
        request.json(&sent).send().await.map(drop)
    });
    eventually(async || {
        let there = control.path().join("discovering").exists();
        if there { Ok(()) } else { Err("no discover") }
    })
    .await;
    assert!(stack.orchestrator.as_mut().unwrap().stop().await);
    let _ = waiting.await;
    std::fs::remove_file(&hang).unwrap();
    // What is left to others is free at once, duties as well.
    let free = "DO $$ BEGIN
        ASSERT NOT EXISTS (SELECT FROM leases WHERE until > clock_timestamp()), 'a duty is held';
        ASSERT NOT EXISTS (SELECT FROM operations WHERE status = 'running' AND lease_until > clock_timestamp()),
            'an operation is held';
        END $$";
    stack.database.execute(free).await;

    stack.start_orchestrator().await;
    eventually_within(Duration::from_secs(20), async || {
        let answer = stack.api.post("/connections/onboard", &body).await;
        match answer.status {
            200 | 201 => Ok(()),
            _ => Err(answer.text),
        }
    })
    .await;
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}
