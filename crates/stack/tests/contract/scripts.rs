//! Four processes on PostgreSQL: the smoke scripts, a sealed credential, one request id through
//! three services, and what reaches a connector.

use std::process::Command;

use serde_json::{Value, json};
use test_support::{Database, KEY, Stack, StackBuilder, workspace_root};

use crate::{salesforce, wire};

fn script(stack: &Stack, name: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(workspace_root().join("scripts").join(name))
        .env("AAM_API_KEY", KEY)
        .env("ORCHESTRATOR_URL", &stack.api.base)
        .env("AUTH_BROKER_URL", &stack.broker_api.base)
        .env("DRIFT_REPAIR_URL", &stack.agent_api.base)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{name}: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smoke_scripts_pass_twice_on_four_processes() {
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .start()
        .await;
    stack.sqlite("shop.db", "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP);
        INSERT INTO orders VALUES (1, 'a', '2026-01-01T00:00:00Z'), (2, 'b', '2026-01-02T00:00:00Z')").await;
    let config = json!({"path": stack.data().join("shop.db")}).to_string();
    let health = script(&stack, "test_health.sh", &[]);
    assert!(
        health.contains("All services are healthy and ready"),
        "{health}"
    );
    for _ in 0..2 {
        let told = script(&stack, "test_onboarding.sh", &[("SOURCE_CONFIG", &config)]);
        assert!(
            told.contains("Onboarded, synced and changed connection"),
            "{told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_id_is_in_the_logs_of_all_three_services() {
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .start()
        .await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP)",
        )
        .await;
    let path = stack.data().join("shop.db");
    stack
        .broker_api
        .put(
            "/credentials/shop",
            &json!({"source_type": "source-sqlite", "kind": "raw", "secret": {"path": path}}),
        )
        .await
        .expect(201);
    let request_id = "trace-me-7f3a";
    let onboard = stack
        .api
        .request(reqwest::Method::POST, "/connections/onboard")
        .json(
            &json!({"source_type": "sqlite", "connection_name": "shop", "credential_id": "shop"}),
        );
    let made = stack
        .api
        .send(onboard.header("x-request-id", request_id))
        .await;
    assert_eq!(made.headers["x-request-id"], request_id);
    let id = made.expect(201)["id"].as_str().unwrap().to_owned();
    stack.sync(&id).await;

    stack
        .sqlite("shop.db", "ALTER TABLE orders ADD COLUMN total REAL")
        .await;
    let heal = stack
        .api
        .request(reqwest::Method::POST, &format!("/connections/{id}/heal"));
    let healed = stack
        .api
        .send(heal.header("x-request-id", request_id))
        .await
        .expect(200);
    assert_eq!(healed["outcome"], "healed", "{healed}");
    for process in [&stack.orchestrator, &stack.broker, &stack.agent] {
        let log = process.as_ref().unwrap().log();
        assert!(log.contains(request_id), "{log}");
    }
    let logs: String = [
        &stack.orchestrator,
        &stack.broker,
        &stack.agent,
        &stack.airbyte,
    ]
    .iter()
    .map(|process| process.as_ref().unwrap().log())
    .collect();
    assert!(
        !logs.contains(path.to_str().unwrap()),
        "a sealed value is in a log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reaches_the_connector_is_the_brokers_fragment() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("recorded.jsonl");
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .local_connectors(json!([salesforce::connector(Some(&record))]))
        .with("SALESFORCE_CLIENT_ID", "app-key")
        .with("SALESFORCE_CLIENT_SECRET", "app-secret")
        .with("SALESFORCE_REFRESH_TOKEN", "refresh-me")
        .start()
        .await;
    stack
        .api
        .post_text("/connections/onboard", wire::ONBOARDING)
        .await
        .expect(201);
    let recorded = std::fs::read_to_string(&record).unwrap();
    let expected = json!({"client_id": "app-key", "client_secret": "app-secret",
        "refresh_token": "refresh-me", "is_sandbox": false, "auth_type": "Client",
        "start_date": "2024-01-01T00:00:00Z"});
    let got: Vec<Value> = recorded
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|line: Value| line.get("config").cloned().unwrap_or(line))
        .collect();
    assert!(!got.is_empty());
    for config in got {
        assert_eq!(config, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_salesforces_variables_the_missing_ones_are_named() {
    let stack = StackBuilder::one_process()
        .local_connectors(json!([salesforce::connector(None)]))
        .with("SALESFORCE_CLIENT_ID", "app-key")
        .start()
        .await;
    let refused = stack
        .api
        .post_text("/connections/onboard", wire::ONBOARDING)
        .await;
    let problem = refused.expect_problem(422, "credential_not_found");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("SALESFORCE_CLIENT_SECRET"), "{detail}");
    assert!(detail.contains("SALESFORCE_REFRESH_TOKEN"), "{detail}");
    assert!(!detail.contains("SALESFORCE_CLIENT_ID"), "{detail}");
    let all = stack.api.get("/connections").await.expect(200);
    assert_eq!(
        all,
        json!([]),
        "nothing refused before its first effect leaves a row"
    );
}
