//! A connection's policy about drift is kept and shown as it was stated.

use serde_json::{Value, json};
use test_support::{Database, Stack, StackBuilder};

async fn onboard(stack: &Stack, name: &str, policy: Option<Value>) -> test_support::Answer {
    let mut body = json!({
        "source_type": "sqlite",
        "connection_name": name,
        "source_config": {"path": stack.data().join("shop.db")},
        "prefix": name,
    });
    if let Some(policy) = policy {
        body["drift_policy"] = policy;
    }
    stack.api.post("/connections/onboard", &body).await
}

async fn stated_policies_are_kept(stack: &Stack, default: &Value) {
    let document = json!({
        "rules": [{"then": "ignore", "stream": "main.*", "severity": "info"}],
        "otherwise": "pause",
    });
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)";
    stack.sqlite("shop.db", table).await;
    let stated = [
        ("a", None, default.clone()),
        ("b", Some(Value::Null), default.clone()),
        ("c", Some(json!("auto")), json!("auto")),
        (
            "d",
            Some(json!("propagate_columns")),
            json!("propagate_columns"),
        ),
        ("e", Some(document.clone()), document),
    ];
    for (name, stated, shown) in stated {
        let made = onboard(stack, name, stated.clone()).await.expect(201);
        assert_eq!(made["drift_policy"], shown, "{made}");
        let id = made["id"].as_str().unwrap();
        let view = stack
            .api
            .get(&format!("/connections/{id}"))
            .await
            .expect(200);
        assert_eq!(view["drift_policy"].to_string(), shown.to_string());
        // The same again is the same connection; another policy is another request.
        assert_eq!(
            onboard(stack, name, stated).await.expect(200)["id"],
            made["id"]
        );
        onboard(stack, name, Some(json!("ignore")))
            .await
            .expect_problem(409, "connection_name_taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_shown_as_it_was_stated() {
    let stack = StackBuilder::one_process().start().await;
    stated_policies_are_kept(&stack, &json!("propose")).await;
    let twice = r#"{"source_type": "sqlite", "connection_name": "twice",
        "drift_policy": {"rules": [{"then": "apply", "then": "pause"}]}}"#;
    let problem = stack.api.post_text("/connections/onboard", twice).await;
    let problem = problem.expect_problem(422, "invalid_request");
    assert_eq!(
        problem["errors"][0]["field"], "drift_policy.rules[0]",
        "{problem}"
    );
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("\"then\" is a duplicate member"),
        "{problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_has_its_own_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let document = json!({"rules": [{"kind": "field_added", "then": "apply"}]});
    std::fs::write(&file, document.to_string()).unwrap();
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .with("AAM_DRIFT_POLICY", file.to_str().unwrap())
        .start()
        .await;
    stated_policies_are_kept(&stack, &document).await;
}
