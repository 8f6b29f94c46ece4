//! Operations: killed at every moment of every step, changed, rolled back, deleted, raced for.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]
#![allow(clippy::print_stdout, reason = "the matrix is printed as a table")]

mod lifecycle;
mod matrix;
mod races;
mod settling;
mod triggers;

use serde_json::Value;
use test_support::Stack;

/// The connection with that id, as it is shown.
async fn connection(stack: &Stack, id: &str) -> Value {
    stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200)
}
