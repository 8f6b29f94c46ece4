//! Requests and answers, byte for byte where a program would send bytes.

use serde_json::{Value, json};
use test_support::Stack;
use uuid::Uuid;

fn assert_members(value: &Value, members: &[&str]) {
    for member in members {
        assert!(
            value.get(*member).is_some(),
            "{member} is missing in {value}"
        );
    }
}

fn assert_uuid(value: &Value) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"));
    Uuid::parse_str(text).unwrap();
}

fn assert_timestamp(value: &Value) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"));
    assert!(text.ends_with('Z'), "{text} is not in UTC with a Z");
    chrono::DateTime::parse_from_rfc3339(text).unwrap();
}

pub(crate) async fn health(stack: &Stack) {
    for (api, service) in [
        (&stack.api, "orchestrator"),
        (&stack.broker_api, "auth_broker"),
        (&stack.agent_api, "drift_repair_agent"),
    ] {
        let health = api.anonymous().get("/health").await.expect(200);
        assert_eq!(
            (&health["service"], &health["status"]),
            (&json!(service), &json!("healthy"))
        );
        assert_timestamp(&health["timestamp"]);
        let ready = api.anonymous().get("/ready").await.expect(200);
        assert_eq!(ready["ready"], true, "{ready}");
        let document = api.anonymous().get("/openapi.json").await.expect(200);
        assert!(document["paths"].as_object().unwrap().len() >= 3);
        assert_eq!(api.anonymous().get("/docs/").await.status, 200);
        assert!(
            api.get("/metrics")
                .await
                .text
                .contains("aam_http_requests_total")
        );
    }
}

pub(crate) async fn credentials(stack: &Stack) {
    let shown = stack
        .broker_api
        .get("/credentials/salesforce-prod")
        .await
        .expect(200);
    assert_eq!(
        shown["configuration"],
        json!({"client_id": "app-key", "client_secret": "**********", "refresh_token": "**********",
               "is_sandbox": false, "auth_type": "Client", "start_date": "2024-01-01T00:00:00Z"})
    );
    let refused = stack
        .broker_api
        .get("/credentials/salesforce/salesforce-prod")
        .await;
    refused.expect_problem(403, "forbidden");
}

/// The onboarding that the first users send.
pub(crate) const ONBOARDING: &str = r#"{"source_type": "Salesforce", "connection_name": "Salesforce Production", "credential_id": "salesforce-prod"}"#;

pub(crate) async fn onboarding(stack: &Stack) -> String {
    let answer = stack
        .api
        .post_text("/connections/onboard", ONBOARDING)
        .await;
    let made = answer.expect(201);
    assert_eq!(made["name"], "Salesforce Production");
    assert_eq!(made["source_type"], "Salesforce");
    assert_eq!(made["status"], "ACTIVE");
    for member in ["id", "airbyte_source_id", "airbyte_connection_id"] {
        assert_uuid(&made[member]);
    }
    assert_timestamp(&made["created_at"]);

    let again = stack
        .api
        .post_text("/connections/onboard", ONBOARDING)
        .await
        .expect(200);
    assert_eq!(
        again["id"], made["id"],
        "the same request again is the same connection"
    );
    let other = ONBOARDING.replace("salesforce-prod", "salesforce-other");
    let taken = stack.api.post_text("/connections/onboard", other).await;
    taken.expect_problem(409, "connection_name_taken");
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn lists(stack: &Stack, id: &str) {
    let all = stack.api.get("/connections").await.expect(200);
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 1);
    let one = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    assert_eq!(all[0], one);
    assert_members(
        &one,
        &[
            "id",
            "name",
            "source_type",
            "status",
            "airbyte_source_id",
            "airbyte_connection_id",
            "created_at",
        ],
    );
    let unknown = format!("/connections/{}", Uuid::new_v4());
    stack
        .api
        .get(&unknown)
        .await
        .expect_problem(404, "connection_not_found");
    stack
        .api
        .get("/connections/not-an-id")
        .await
        .expect_problem(404, "connection_not_found");
}

pub(crate) async fn sync(stack: &Stack, id: &str) {
    let started = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await
        .expect(200);
    assert_eq!(started["connection_id"], id);
    assert_eq!(started["status"], "triggered");
    assert_eq!(started["message"], "Sync job started successfully");
    let job_id = started["job_id"].as_str().expect("job_id is a string");
    let job = stack.job_ended(job_id).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    assert!(job["rows_synced"].as_i64().unwrap() > 0);
}

/// The catalog that the first users apply, with the id of a real connection.
pub(crate) const CATALOG: &str = r#"{"connection_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
 "new_sync_catalog": {"streams": [{"stream": {"name": "Account", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]},
                                    "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}]}}"#;

pub(crate) async fn apply(stack: &Stack, id: &str) {
    let body = CATALOG.replace("a1b2c3d4-e5f6-7890-abcd-ef1234567890", id);
    let applied = stack
        .agent_api
        .post_text("/repair/apply_new_catalog", body.clone())
        .await;
    assert_eq!(
        applied.expect(200),
        json!({"connection_id": id, "previous_version": 1, "new_version": 2, "status": "success",
               "message": "Catalog updated and versioned successfully"})
    );
    let now = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    assert_eq!(now["status"], "ACTIVE");
    let version = stack
        .api
        .get(&format!("/connections/{id}/catalogs/2"))
        .await
        .expect(200);
    let streams = version["sync_catalog"]["streams"].as_array().unwrap();
    let stream = |name: &str| {
        streams
            .iter()
            .find(|s| s["stream"]["name"] == name)
            .unwrap()
    };
    let account = stream("Account");
    assert!(
        account["stream"]["jsonSchema"]["properties"]["Id"].is_object(),
        "an empty schema is the source's: {account}"
    );
    assert_eq!(account["config"]["cursorField"], json!(["SystemModstamp"]));
    assert_eq!(account["config"]["primaryKey"], json!([["Id"]]));
    assert_eq!(
        stream("Contact")["config"]["selected"],
        false,
        "what is not listed is kept unselected"
    );

    let again = stack
        .agent_api
        .post_text("/repair/apply_new_catalog", body)
        .await
        .expect(200);
    assert_eq!(
        (&again["previous_version"], &again["new_version"]),
        (&json!(2), &json!(2))
    );
    let versions = stack
        .api
        .get(&format!("/connections/{id}/catalogs"))
        .await
        .expect(200);
    let numbers: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["version"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    let diff = stack
        .api
        .get(&format!("/connections/{id}/catalogs/diff?from=1&to=2"))
        .await
        .expect(200);
    assert_eq!(diff["changes"], json!([]));
    let settings = diff["settings"].as_array().unwrap();
    assert!(
        settings.contains(&json!({"action": "remove_stream", "stream": {"name": "Contact"}})),
        "{diff}"
    );
}

/// Several hundred reads of two services at once: they share a handful of server connections.
pub(crate) async fn many_reads(stack: &Stack) {
    let reads = (0..400).map(async |n| {
        let (api, path) = match n % 2 {
            0 => (&stack.api, "/connections"),
            _ => (&stack.broker_api, "/credentials"),
        };
        api.get(path).await.expect(200);
    });
    futures::future::join_all(reads).await;
}
