//! Bad input gets a problem that names the field and the fix, changes nothing, and is never a 500.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Stack, StackBuilder};

async fn stack() -> Stack {
    let stack = StackBuilder::one_process().start().await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP)",
        )
        .await;
    stack
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_onboarding_leaves_nothing_anywhere() {
    let stack = stack().await;
    let path = stack.data().join("shop.db");
    let valid =
        json!({"source_type": "sqlite", "connection_name": "c", "source_config": {"path": path}});
    let with = |name: &str, value: Value| {
        let mut body = valid.clone();
        body[name] = value;
        body
    };
    let cases: Vec<(Value, &str, &str)> = vec![
        (
            json!({"connection_name": "c"}),
            "invalid_request",
            "source_type",
        ),
        (json!([]), "invalid_request", ""),
        (
            with("connection_name", json!(7)),
            "invalid_request",
            "connection_name",
        ),
        (
            with("connection_name", json!("")),
            "invalid_request",
            "connection_name",
        ),
        (with("nonsense", json!(1)), "invalid_request", "nonsense"),
        (
            with("destination_id", json!("x")),
            "invalid_request",
            "destination_id",
        ),
        (
            with(
                "destination_id",
                json!("00000000-0000-4000-8000-000000000000"),
            ),
            "invalid_request",
            "destination_id",
        ),
        (
            with("schedule", json!({"type": "cron", "cron": "0 2 13 * 5"})),
            "invalid_request",
            "schedule.cron",
        ),
        (
            with("drift_policy", json!("reckless")),
            "invalid_request",
            "drift_policy",
        ),
        (
            with(
                "drift_policy",
                json!({"rules": [{"then": "apply"}, {"severity": ["harmles"], "then": "apply"}]}),
            ),
            "invalid_request",
            "drift_policy.rules[1].severity[0]",
        ),
        (
            with("drift_policy", json!({"otherwize": "apply"})),
            "invalid_request",
            "drift_policy.otherwize",
        ),
        (with("streams", json!([])), "invalid_request", "streams"),
        (
            with("source_type", json!("sqlitee")),
            "source_type_unknown",
            "source_type",
        ),
        (
            with("source_config", json!({})),
            "source_config_invalid",
            "source_config",
        ),
        (
            with("source_config", json!({"path": 5})),
            "source_config_invalid",
            "source_config.path",
        ),
        (
            with("credential_id", json!("nobody")),
            "credential_not_found",
            "credential_id",
        ),
        (
            with("connection_name", json!("a\u{0}b")),
            "invalid_request",
            "",
        ),
    ];
    for (body, code, field) in cases {
        let problem = stack
            .api
            .post("/connections/onboard", &body)
            .await
            .expect_problem(422, code);
        let fields: Vec<&str> = problem["errors"]
            .as_array()
            .map(|errors| errors.iter().filter_map(|e| e["field"].as_str()).collect())
            .unwrap_or_default();
        assert!(
            field.is_empty() || fields.contains(&field),
            "{field} is not named in {problem}"
        );
    }
    let unknown = with("source_type", json!("sqlitee"));
    let problem = stack
        .api
        .post("/connections/onboard", &unknown)
        .await
        .json();
    assert!(
        problem["detail"].as_str().unwrap().contains("SQLite"),
        "{problem}"
    );
    assert_eq!(stack.api.get("/connections").await.expect(200), json!([]));
    assert_eq!(stack.airbyte_objects().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_onboarding_leaves_one_failed_row_and_resumes_it() {
    let stack = stack().await;
    let body = |streams: Value| {
        json!({"source_type": "sqlite", "connection_name": "late",
               "source_config": {"path": stack.data().join("late.db")}, "streams": streams})
    };
    let refused = stack
        .api
        .post("/connections/onboard", &body(json!(["orders"])))
        .await;
    let problem = refused.expect_problem(422, "source_check_failed");
    assert!(
        problem["detail"].as_str().unwrap().contains("late.db"),
        "{problem}"
    );
    let all = stack.api.get("/connections").await.expect(200);
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["status"], "FAILED");
    assert!(
        all[0]["status_reason"]
            .as_str()
            .unwrap()
            .contains("late.db")
    );
    assert_eq!(all[0]["airbyte_source_id"], Value::Null);
    assert_eq!(stack.airbyte_objects().await, (0, 0));
    let sync = format!("/connections/{}/sync", all[0]["id"].as_str().unwrap());
    stack
        .api
        .post_empty(&sync)
        .await
        .expect_problem(409, "connection_not_ready");

    stack
        .sqlite(
            "late.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMP)",
        )
        .await;
    let wrong = stack
        .api
        .post("/connections/onboard", &body(json!(["order"])))
        .await;
    let problem = wrong.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["field"], "streams[0].name");
    assert_eq!(stack.airbyte_objects().await, (0, 0));

    let made = stack
        .api
        .post("/connections/onboard", &body(json!(["orders"])))
        .await
        .expect(201);
    assert_eq!(made["id"], all[0]["id"], "the row and its id are resumed");
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_never_write_one_table() {
    let stack = stack().await;
    let body = |name: &str| {
        json!({"source_type": "sqlite", "connection_name": name,
               "source_config": {"path": stack.data().join("shop.db")}})
    };
    stack
        .api
        .post("/connections/onboard", &body("first"))
        .await
        .expect(201);
    let second = stack
        .api
        .post("/connections/onboard", &body("second"))
        .await;
    let problem = second.expect_problem(409, "destination_stream_conflict");
    assert!(
        problem["detail"].as_str().unwrap().contains("orders"),
        "{problem}"
    );
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_onboarding_fifty_times_at_once_makes_one() {
    let stack = stack().await;
    let body = json!({"source_type": "sqlite", "connection_name": "one",
        "source_config": {"path": stack.data().join("shop.db")}});
    let answers =
        futures::future::join_all((0..50).map(|_| stack.api.post("/connections/onboard", &body)))
            .await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    let ids: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| {
            assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
            answer.json()["id"].to_string()
        })
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_json_are_reported() {
    let stack = stack().await;
    let post = |path: &'static str, text: String| stack.api.post_text(path, text);
    for path in ["/connections/onboard"] {
        post(path, "{".into())
            .await
            .expect_problem(400, "malformed_request");
        post(path, "\u{1}".into())
            .await
            .expect_problem(400, "malformed_request");
        post(path, "{} {}".into())
            .await
            .expect_problem(422, "invalid_request");
        post(path, " ".repeat(50 * 1024 * 1024))
            .await
            .expect_problem(413, "payload_too_large");
        let form = stack
            .api
            .request(Method::POST, path)
            .header("content-type", "text/plain")
            .body("{}");
        stack
            .api
            .send(form)
            .await
            .expect_problem(415, "unsupported_media_type");
    }
    let heal = format!("/connections/{}/heal", uuid::Uuid::nil());
    let broken = stack.api.post_text(&heal, "{").await;
    broken.expect_problem(400, "malformed_request");
    let unknown = stack.api.post_text(&heal, r#"{"acept": "all"}"#).await;
    unknown.expect_problem(422, "invalid_request");
    stack
        .api
        .post_empty(&heal)
        .await
        .expect_problem(404, "connection_not_found");
    let agent = &stack.agent_api;
    let huge = " ".repeat(50 * 1024 * 1024);
    agent
        .post_text("/repair/apply_new_catalog", huge)
        .await
        .expect_problem(413, "payload_too_large");
    agent
        .post_text("/repair/heal", "nonsense")
        .await
        .expect_problem(400, "malformed_request");
    let wrong = json!({"connection_id": "x"});
    agent
        .post("/repair/heal", &wrong)
        .await
        .expect_problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_callers_and_foreign_sites_are_rejected() {
    let stack = stack().await;
    for api in [&stack.api, &stack.broker_api, &stack.agent_api] {
        api.anonymous()
            .get("/nothing")
            .await
            .expect_problem(401, "unauthenticated");
        api.get("/nothing").await.expect_problem(404, "not_found");
        let foreign = api
            .request(Method::GET, "/connections")
            .header("host", "evil.example");
        api.send(foreign)
            .await
            .expect_problem(421, "misdirected_request");
        let probe = api
            .request(Method::GET, "/health")
            .header("host", "10.0.0.7:8001");
        assert_eq!(api.send(probe).await.status, 200);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let write = api
                .request(Method::POST, "/repair/heal")
                .header(name, value)
                .json(&json!({}));
            api.send(write)
                .await
                .expect_problem(403, "cross_site_request");
        }
        let wrong = api
            .anonymous()
            .request(Method::GET, "/nothing")
            .bearer_auth("aam_wrong");
        api.send(wrong).await.expect_problem(401, "unauthenticated");
    }
    let method = stack.api.request(Method::PUT, "/connections");
    stack
        .api
        .send(method)
        .await
        .expect_problem(405, "method_not_allowed");
    let query = stack.api.get("/connections?status=BROKEN").await;
    query.expect_problem(422, "invalid_request");
    stack
        .api
        .get("/connections?limit=0")
        .await
        .expect_problem(422, "invalid_request");
    stack
        .api
        .get("/connections?sort=name")
        .await
        .expect_problem(400, "malformed_request");
    stack
        .api
        .get("/jobs/12345")
        .await
        .expect_problem(404, "job_not_found");
    stack
        .broker_api
        .get("/credentials/nobody")
        .await
        .expect_problem(404, "credential_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garbage_catalog_changes_nothing() {
    let stack = stack().await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    let stream =
        |body: Value| json!({"connection_id": id, "new_sync_catalog": {"streams": [body]}});
    let cases = [
        json!({"connection_id": id, "new_sync_catalog": 7}),
        json!({"connection_id": id, "new_sync_catalog": {}}),
        json!({"connection_id": id, "new_sync_catalog": {"streams": "x"}}),
        stream(json!({"stream": {}})),
        stream(
            json!({"stream": {"name": "nothing", "json_schema": {}}, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}),
        ),
        stream(
            json!({"stream": {"name": "orders", "json_schema": {"properties": {"nope": {}}}}, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}),
        ),
        stream(
            json!({"stream": {"name": "orders", "json_schema": {}}, "sync_mode": "sideways", "destination_sync_mode": "overwrite"}),
        ),
        stream(
            json!({"stream": {"name": "orders", "json_schema": {}}, "sync_mode": "incremental", "destination_sync_mode": "append_dedup", "cursor_field": ["nope"]}),
        ),
    ];
    for body in cases {
        let problem = stack
            .agent_api
            .post("/repair/apply_new_catalog", &body)
            .await;
        let problem = problem.expect_problem(422, "catalog_invalid");
        let field = problem["errors"][0]["field"].as_str().unwrap();
        assert!(field.starts_with("new_sync_catalog"), "{problem}");
    }
    let body = stream(
        json!({"stream": {"name": "orders", "json_schema": {}}, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}),
    );
    let mut stale = body.clone();
    stale["expected_version"] = json!(7);
    stack
        .agent_api
        .post("/repair/apply_new_catalog", &stale)
        .await
        .expect_problem(409, "version_conflict");
    let mut unknown = body;
    unknown["connection_id"] = json!("not-an-id");
    stack
        .agent_api
        .post("/repair/apply_new_catalog", &unknown)
        .await
        .expect_problem(404, "connection_not_found");
    let now = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    assert_eq!(
        (&now["status"], &now["catalog_version"]),
        (&json!("ACTIVE"), &json!(1))
    );
}
