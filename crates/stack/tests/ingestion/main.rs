//! The ingestion API: what its callers send today, bad input, what is shared and who uses it, and
//! schedules that fire.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod bad_input;
mod endpoints;
mod ingestions;
mod races;
mod schedule;
mod secrets;

use serde_json::{Value, json};
use test_support::{Api, Stack};

/// Where the paths are a second time.
const PREFIX: &str = "/api/v1/airbyte";

/// A datasource of a SQLite file with a table of orders; its id.
async fn shop(stack: &Stack, name: &str) -> String {
    let file = format!("{name}.db");
    let fill = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
        INSERT INTO orders (note) VALUES ('a'), ('b'), ('c')";
    stack.sqlite(&file, fill).await;
    let config = json!({"path": stack.data().join(file)});
    let body = json!({"name": name, "type": "sqlite", "config": config});
    let made = stack.api.post("/datasource", &body).await.expect(201);
    text(&made, "id")
}

/// A sink of Parquet files; its id.
async fn lake(stack: &Stack, name: &str) -> String {
    let config = json!({"path": stack.data().join(name)});
    let body = json!({"name": name, "type": "parquet", "config": config});
    let made = stack.api.post("/sink", &body).await.expect(201);
    text(&made, "id")
}

/// An ingestion; its id.
async fn ingestion(api: &Api, body: &Value) -> String {
    let made = api.post("/ingestion", body).await.expect(201);
    text(&made, "connectionId")
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap().to_owned()
}

/// The fields that a problem names.
fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .map(|error| error["field"].as_str().unwrap())
        .collect()
}
