//! Who comes in, as what, how often, and how much at once.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod audit;
mod idempotency;
mod keys;
mod limits;
mod routes;
mod schedules;
mod spellings;
mod stopping;

use serde_json::{Value, json};
use test_support::{Api, Database, Stack, StackBuilder};

/// A stack without `AAM_API_KEY`.
async fn without_a_key(database: Database) -> Stack {
    StackBuilder::four_processes(database)
        .with("AAM_API_KEY", "")
        .start()
        .await
}

/// Makes a key; returns its id and itself.
async fn make_key(api: &Api, name: &str, role: &str) -> (String, String) {
    let made = api
        .post("/keys", &json!({"name": name, "role": role}))
        .await;
    let made: Value = made.expect(201);
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

/// The same service for the holder of `key`.
fn holding(api: &Api, key: &str) -> Api {
    Api::new(&api.base, Some(key))
}
