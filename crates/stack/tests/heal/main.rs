//! Drift on a real source: what is applied, what waits, what follows, and what races.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod drift;
mod policies;
mod races;
mod renames;
mod versions;

use serde_json::{Value, json};
use test_support::{Stack, StackBuilder};

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, total REAL, updated_at TIMESTAMP NOT NULL);
    INSERT INTO orders VALUES (1, 'a', 1.5, '2026-01-01T00:00:00Z'), (2, 'b', 2.5, '2026-01-02T00:00:00Z')";

/// A stack with one synced connection of a table `orders`; returns the connection's id.
async fn shop() -> (Stack, String) {
    let stack = StackBuilder::one_process().start().await;
    stack.sqlite("shop.db", ORDERS).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    stack.sync(&id).await;
    (stack, id)
}

/// The same with a policy about drift.
async fn shop_with(stack: &Stack, policy: Value) -> String {
    stack.sqlite("shop.db", ORDERS).await;
    let body = json!({
        "source_type": "sqlite",
        "connection_name": "shop",
        "source_config": {"path": stack.data().join("shop.db")},
        "prefix": "shop_",
        "drift_policy": policy,
    });
    let id = onboard(stack, &body).await;
    stack.sync(&id).await;
    id
}

/// Onboards a connection; returns its id.
async fn onboard(stack: &Stack, body: &Value) -> String {
    let made = stack
        .api
        .post("/connections/onboard", body)
        .await
        .expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn heal(stack: &Stack, id: &str, body: Value) -> Value {
    stack
        .api
        .post(&format!("/connections/{id}/heal"), &body)
        .await
        .expect(200)
}

async fn plan(stack: &Stack, id: &str) -> Value {
    stack
        .agent_api
        .post("/repair/plan", &json!({"connection_id": id}))
        .await
        .expect(200)
}

/// Waits for the sync that a heal left, and for its job.
async fn follow_up(stack: &Stack, healed: &Value) -> Value {
    let operation = healed["sync_operation_id"]
        .as_str()
        .expect("a sync follows a heal");
    let ended = test_support::eventually(async || {
        let now = stack
            .api
            .get(&format!("/operations/{operation}"))
            .await
            .expect(200);
        if now["status"] == "succeeded" {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await;
    let job = stack
        .job_ended(ended["result"]["job_id"].as_str().unwrap())
        .await;
    assert_eq!(job["status"], "succeeded", "{job}");
    job
}

async fn version(stack: &Stack, id: &str) -> i64 {
    let now = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    assert_eq!(now["status"], "ACTIVE", "{now}");
    now["catalog_version"].as_i64().unwrap()
}

async fn origins(stack: &Stack, id: &str) -> Vec<String> {
    let versions = stack
        .api
        .get(&format!("/connections/{id}/catalogs"))
        .await
        .expect(200);
    let versions = versions.as_array().unwrap().clone();
    let numbers: Vec<i64> = versions
        .iter()
        .map(|v| v["version"].as_i64().unwrap())
        .collect();
    let expected: Vec<i64> = (1..=versions.len() as i64).rev().collect();
    assert_eq!(
        numbers, expected,
        "version numbers neither collide nor skip"
    );
    versions
        .iter()
        .map(|v| v["origin"].as_str().unwrap().to_owned())
        .collect()
}
