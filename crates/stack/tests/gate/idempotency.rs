//! Requests that are sent twice.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Answer, Api, Database, Fault, Stack, StackBuilder, eventually, salesforce};

use crate::{holding, make_key};

fn request(api: &Api, path: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
    api.request(Method::POST, path)
        .header("Idempotency-Key", key)
        .json(body)
}

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    api.send(request(api, path, key, body)).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

async fn onboarding(stack: &Stack, name: &str) -> Value {
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, note TEXT)",
        )
        .await;
    json!({"source_type": "sqlite", "connection_name": name, "prefix": format!("{name}_"),
           "source_config": {"path": stack.data().join("shop.db")}})
}

async fn a_repeated_post_is_answered_as_the_first_time(stack: Stack) {
    let body = onboarding(&stack, "shop").await;
    let path = "/connections/onboard";
    let first = post(&stack.api, path, "k-1", &body).await;
    first.expect(201);
    assert!(!is_replayed(&first));
    for key in ["k-1", "\"k-1\""] {
        let again = post(&stack.api, path, key, &body).await;
        assert!(is_replayed(&again), "{key}");
        assert_eq!((again.status, &again.text), (201, &first.text));
        assert_eq!(again.headers["location"], first.headers["location"]);
        assert_eq!(again.headers["content-type"], "application/json");
    }
    // Without the key, the flow itself reports that it exists.
    stack.api.post(path, &body).await.expect(200);

    let other = onboarding(&stack, "other").await;
    for (path, body) in [
        (path, &other),
        ("/connections/onboard?x=1", &body),
        ("/keys", &json!({"name": "k", "role": "viewer"})),
    ] {
        let refused = post(&stack.api, path, "k-1", body).await;
        refused.expect_problem(422, "idempotency_key_reused");
    }
    // A refusal is an answer too.
    let bad = json!({"source_type": "nothing", "connection_name": "x"});
    let refused = post(&stack.api, path, "k-2", &bad).await;
    let refused = refused.expect_problem(422, "source_type_unknown");
    let again = post(&stack.api, path, "k-2", &bad).await;
    assert!(is_replayed(&again));
    assert_eq!(again.expect(422), refused);

    // Keys are their callers' own.
    let (_, key) = make_key(&stack.api, "someone else", "operator").await;
    let theirs = post(&holding(&stack.api, &key), path, "k-1", &other).await;
    theirs.expect(201);
    assert!(!is_replayed(&theirs));
    assert_eq!(stack.airbyte_objects().await, (2, 2));
}
test_support::on_both!(a_repeated_post_is_answered_as_the_first_time);

async fn fifty_at_once_are_one(stack: Stack) {
    let body = json!({"name": "one of fifty", "role": "viewer"});
    let all =
        futures::future::join_all((0..50).map(|_| post(&stack.api, "/keys", "the-same", &body)))
            .await;
    let made: Vec<_> = all.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1, "{all:?}");
    for answer in all.iter().filter(|answer| answer.status != 201) {
        let code = answer.expect(409)["code"].clone();
        // The key was returned once; it is stored nowhere.
        assert!(
            code == "idempotency_in_flight" || code == "idempotency_secret_answer",
            "{code}"
        );
    }
    let late = post(&stack.api, "/keys", "the-same", &body).await;
    let problem = late.expect_problem(409, "idempotency_secret_answer");
    assert_eq!(problem["answered_status"], 201);
    let keys = stack.api.get("/keys").await.expect(200);
    assert_eq!(keys.as_array().unwrap().len(), 1, "{keys}");
}
test_support::on_both!(fifty_at_once_are_one);

async fn a_key_that_does_not_read_is_refused(stack: Stack) {
    let body = json!({"name": "k", "role": "viewer"});
    let long = "x".repeat(256);
    for key in ["", " ", long.as_str(), "\"open", "\"a\"b", "\"a\\b\""] {
        let refused = post(&stack.api, "/keys", key, &body).await;
        refused.expect_problem(400, "malformed_request");
    }
    let twice = request(&stack.api, "/keys", "a", &body).header("Idempotency-Key", "b");
    let refused = stack.api.send(twice).await;
    refused.expect_problem(400, "malformed_request");
    assert_eq!(stack.api.get("/keys").await.expect(200), json!([]));
    let longest = post(&stack.api, "/keys", &long[1..], &body).await;
    longest.expect(201);
}
test_support::on_both!(a_key_that_does_not_read_is_refused);

/// A stack whose Salesforce discovers when it is let, and how it is onboarded.
async fn slow(control: &std::path::Path) -> (Stack, Value) {
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .held_salesforce(control)
        .start()
        .await;
    std::fs::write(control.join("hang_discover"), "").unwrap();
    let body = salesforce("crm");
    (stack, body)
}

async fn discovering(control: &std::path::Path) {
    eventually(async || {
        let there = control.join("discovering").exists();
        if there { Ok(()) } else { Err("no discover") }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_finds_the_answer_later() {
    let control = tempfile::tempdir().unwrap();
    let (stack, body) = slow(control.path()).await;
    let path = "/connections/onboard";
    let impatient = request(&stack.api, path, "crm", &body);
    let impatient = tokio::spawn(impatient.send());
    discovering(control.path()).await;
    let early = post(&stack.api, path, "crm", &body).await;
    assert!(early.headers.contains_key("retry-after"));
    early.expect_problem(409, "idempotency_in_flight");
    let other = post(&stack.api, path, "crm", &json!({"another": "request"})).await;
    other.expect_problem(422, "idempotency_key_reused");
    impatient.abort();
    assert!(impatient.await.is_err());

    std::fs::remove_file(control.path().join("hang_discover")).unwrap();
    let answer = eventually(async || {
        let answer = post(&stack.api, path, "crm", &body).await;
        match answer.status {
            409 => Err(answer.text),
            _ => Ok(answer),
        }
    })
    .await;
    assert!(is_replayed(&answer), "{}", answer.text);
    assert_eq!(answer.expect(201)["status"], "ACTIVE");
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_gives_its_keys_back() {
    let control = tempfile::tempdir().unwrap();
    let (mut stack, body) = slow(control.path()).await;
    let path = "/connections/onboard";
    let doomed = tokio::spawn(request(&stack.api, path, "crm", &body).send());
    discovering(control.path()).await;
    stack.orchestrator.as_mut().unwrap().kill();
    let _ = doomed.await;
    std::fs::remove_file(control.path().join("hang_discover")).unwrap();
    stack.start_orchestrator().await;
    let early = post(&stack.api, path, "crm", &body).await;
    early.expect_problem(409, "idempotency_in_flight");
    // A minute passes.
    let later = "UPDATE idempotency_keys SET lease_until = lease_until - interval '61 seconds'; \
                 UPDATE operations SET lease_until = lease_until - interval '61 seconds'";
    stack.database.execute(later).await;
    let wait = Duration::from_secs(60);
    test_support::eventually_within(wait, async || {
        let answer = post(&stack.api, path, "crm", &body).await;
        match answer.status {
            200 | 201 => Ok(()),
            _ => Err(answer.text),
        }
    })
    .await;
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_tried_again_and_a_day_later_the_key_is_free() {
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .proxied()
        .start()
        .await;
    let body = onboarding(&stack, "shop").await;
    let proxy = stack.proxy.as_ref().unwrap();
    let path = "/connections/onboard";
    proxy.fail(
        Method::POST,
        "/api/public/v1/sources",
        Fault::Before(500),
        9,
    );
    let failed = post(&stack.api, path, "k", &body).await;
    failed.expect_problem(502, "airbyte_failed");
    proxy.mend();
    let made = post(&stack.api, path, "k", &body).await;
    made.expect(201);
    assert!(!is_replayed(&made));

    let later = "UPDATE idempotency_keys SET expires_at = expires_at - interval '25 hours'";
    stack.database.execute(later).await;
    let other = onboarding(&stack, "other").await;
    post(&stack.api, path, "k", &other).await.expect(201);
    let again = post(&stack.api, path, "k", &other).await;
    assert!(is_replayed(&again), "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_between_changes_nothing() {
    let stack = StackBuilder::four_processes(Database::pgbouncer().await)
        .start()
        .await;
    a_repeated_post_is_answered_as_the_first_time(stack).await;
}
