//! Who changed what.

use serde_json::{Value, json};
use test_support::Stack;

use crate::{holding, make_key};

async fn keys_and_credentials_leave_a_trace_without_secrets(stack: Stack) {
    let (id, key) = make_key(&stack.api, "ann", "admin").await;
    let broker = holding(&stack.broker_api, &key);
    let credential = |password: &str| {
        json!({"source_type": "sqlite", "kind": "raw",
            "secret": {"password": password}, "config": {"path": "/data/x.db"}})
    };
    broker
        .put("/credentials/c", &credential("hunter2"))
        .await
        .expect(201);
    broker
        .put("/credentials/c", &credential("hunter3"))
        .await
        .expect(200);
    let request = broker
        .request(reqwest::Method::DELETE, "/credentials/c")
        .header("x-request-id", "the-one-that-removed-it");
    assert_eq!(broker.send(request).await.status, 204);
    assert_eq!(broker.delete("/credentials/c").await.status, 404);
    assert_eq!(stack.api.delete(&format!("/keys/{id}")).await.status, 204);

    let answer = stack.api.get("/audit").await;
    assert!(!answer.text.contains("hunter"), "{}", answer.text);
    assert!(!answer.text.contains(&key), "{}", answer.text);
    let all = answer.expect(200);
    let told: Vec<[&str; 4]> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["service", "actor", "action", "target"].map(|name| row[name].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["orchestrator", "AAM_API_KEY", "key.revoke", &id],
            ["auth_broker", "ann", "credential.delete", "c"],
            ["auth_broker", "ann", "credential.put", "c"],
            ["auth_broker", "ann", "credential.put", "c"],
            ["orchestrator", "AAM_API_KEY", "key.create", &id],
        ]
    );
    assert_eq!(all[1]["request_id"], "the-one-that-removed-it");
    assert_eq!(all[2]["before"]["configuration"]["password"], "**********");
    assert_eq!(all[2]["after"]["configuration"]["path"], "/data/x.db");
    assert!(all[3]["before"].is_null(), "{all}");
    assert!(all[0]["after"]["revoked_at"].is_string(), "{all}");

    let found = async |query: &str| -> Value { stack.api.get(query).await.expect(200) };
    let of_ann = found("/audit?actor=ann&action=credential.put").await;
    assert_eq!(of_ann.as_array().unwrap().len(), 2);
    let since = all[1]["time"].as_str().unwrap();
    let newest = found(&format!("/audit?since={since}")).await;
    assert_eq!(newest.as_array().unwrap().len(), 2, "{newest}");
    let mut page = stack.api.get("/audit?limit=2").await;
    let mut collected = Vec::new();
    loop {
        collected.extend(page.expect(200).as_array().unwrap().clone());
        let Some(link) = page.headers.get("link") else {
            break;
        };
        let link = link.to_str().unwrap();
        let next = link
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap()
            .to_owned();
        page = stack.api.get(&next).await;
    }
    assert_eq!(Value::from(collected), all);
    let refused = stack.api.get("/audit?limit=1001").await;
    refused.expect_problem(422, "invalid_request");
    let refused = stack.api.get("/audit?since=yesterday").await;
    refused.expect_problem(400, "malformed_request");
}
test_support::on_both!(keys_and_credentials_leave_a_trace_without_secrets);
