//! Secrets of datasources and sinks are in no answer, no log and no table.

use serde_json::json;
use test_support::{Database, StackBuilder};

const PASSWORD: &str = "pa55-of-mysql-7f3e";
const KEY: &str = "s3cret-of-the-lake-91bd";

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_answer_no_log_and_no_table() {
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .with("LOG_LEVEL", "debug")
        .start()
        .await;
    let mysql = json!({"name": "shop", "type": "mysql", "config":
        {"host": "127.0.0.1", "port": 1, "database": "d", "username": "u", "password": PASSWORD}});
    let s3 = json!({"name": "lake", "type": "s3", "config":
        {"bucket_name": "b", "bucket_region": "r", "access_key_id": "AK", "secret_access_key": KEY,
         "endpoint": "http://127.0.0.1:1"}});
    let mut answers = Vec::new();
    for (path, body) in [("/datasource", &mysql), ("/sink", &s3)] {
        // Once refused by the check, once by validation, once made.
        answers.push(stack.api.post(path, body).await);
        let mut wrong = body.clone();
        wrong["config"]["port"] = json!("many");
        wrong["config"]["bucket_region"] = json!(5);
        answers.push(stack.api.post(path, &wrong).await);
        let made = stack.api.post(&format!("{path}?check=false"), body).await;
        let id = made.expect(201)["id"].as_str().unwrap().to_owned();
        answers.push(made);
        answers.push(stack.api.get(path).await);
        answers.push(stack.api.get(&format!("{path}/{id}")).await);
    }
    answers.push(stack.api.get("/audit").await);
    let events = stack.api.request(reqwest::Method::GET, "/events?after=0");
    let events = events.header("accept", "application/json");
    answers.push(stack.api.send(events).await);
    answers.push(stack.api.get("/operations").await);
    for answer in &answers {
        for secret in [PASSWORD, KEY] {
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
    }
    let folder = stack.home();
    let files = [
        "registry.db",
        "registry.db-wal",
        "airbyte.db",
        "airbyte.db-wal",
    ];
    let mut searched = 0;
    for file in files {
        let Ok(bytes) = std::fs::read(folder.join(file)) else {
            continue;
        };
        searched += bytes.len();
        for secret in [PASSWORD, KEY] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{file} holds a secret");
        }
    }
    assert!(searched > 100_000, "only {searched} bytes were searched");
    let processes = [
        &stack.orchestrator,
        &stack.airbyte,
        &stack.broker,
        &stack.agent,
    ];
    for process in processes.into_iter().flatten() {
        let log = process.log();
        assert!(log.len() > 100, "{log}");
        for secret in [PASSWORD, KEY] {
            assert!(!log.contains(secret), "a log holds a secret");
        }
    }
}
