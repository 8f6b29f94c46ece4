//! Bad input gets a problem that names every field as it was written, and changes nothing.

use serde_json::{Value, json};
use test_support::{Stack, StackBuilder};

use crate::{PREFIX, fields, lake, shop};

async fn refused(stack: &Stack, path: &str, body: &Value, code: &str, named: &[&str]) {
    let answer = stack.api.post(path, body).await;
    let problem = answer.expect_problem(422, code);
    assert_eq!(fields(&problem), named, "{path} {body}: {problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_as_it_was_written() {
    let stack = StackBuilder::one_process().start().await;
    let mysql = |config: Value| json!({"name": "m", "type": "mysql", "config": config});
    let s3 = |config: Value| json!({"name": "s", "type": "s3", "config": config});
    let (source, sink) = ("source_config_invalid", "destination_config_invalid");
    for (path, body, code, named) in [
        (
            "/datasource",
            json!({}),
            "invalid_request",
            &["name", "type", "config"][..],
        ),
        (
            "/datasource",
            json!({"name": 1, "type": [], "config": "x"}),
            "invalid_request",
            &["name", "type", "config"],
        ),
        (
            "/datasource",
            json!({"name": "a\u{0}", "type": "mysql", "config": {}}),
            "invalid_request",
            &["name", ""],
        ),
        (
            "/datasource",
            mysql(json!({})),
            source,
            &["config.host", "config.database", "config.username"],
        ),
        (
            "/datasource",
            mysql(json!({"host": 1, "port": "many", "database": "d", "username": "u"})),
            source,
            &["config.host", "config.port"],
        ),
        (
            "/datasource",
            mysql(
                json!({"host": "h", "port": 99999, "database": "d", "username": "u", "ssl_mode": {"mode": "maybe"}}),
            ),
            source,
            &["config.port", "config.ssl_mode"],
        ),
        (
            "/sink",
            s3(json!({"bucket_region": 5})),
            sink,
            &["config.bucket_region", "config.bucket_name"],
        ),
        (
            "/sink",
            s3(
                json!({"bucket_name": "b", "s3_bucket_name": "c", "bucket_region": "r", "path_prefix": ""}),
            ),
            sink,
            &["config.bucket_name"],
        ),
        (
            "/sink",
            s3(json!({"bucket_name": "b", "bucket_region": "r", "format": "csv"})),
            sink,
            &["config.format"],
        ),
        (
            "/datasource",
            json!({"name": "n", "type": "oracle9", "config": {}}),
            "source_type_unknown",
            &["type"],
        ),
        (
            "/sink",
            json!({"name": "n", "type": "oracle9", "config": {}}),
            "destination_type_unknown",
            &["type"],
        ),
        (
            "/sink",
            json!({"name": "n", "type": "sqlite", "config": {"path": "x"}, "workspace": "elsewhere"}),
            "invalid_request",
            &["workspace"],
        ),
    ] {
        refused(&stack, path, &body, code, named).await;
        refused(&stack, &format!("{PREFIX}{path}"), &body, code, named).await;
    }
    let (one, lake) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let nobody = "0190a5c1-0000-7000-8000-000000000001";
    let with = |more: Value| {
        let mut body = json!({"sourceId": one, "sinkId": lake});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (body, code, named) in [
        (
            json!({}),
            "invalid_request",
            &["sourceId", "destinationId"][..],
        ),
        (
            json!({"sourceId": 1, "destinationId": "x", "status": "on"}),
            "invalid_request",
            &["sourceId", "destinationId", "status"],
        ),
        (
            json!({"sourceId": nobody, "sinkId": lake}),
            "invalid_request",
            &["sourceId"],
        ),
        (
            json!({"sourceId": one, "destinationId": nobody}),
            "invalid_request",
            &["destinationId"],
        ),
        (
            json!({"sourceId": one, "sinkId": nobody}),
            "invalid_request",
            &["sinkId"],
        ),
        (with(json!({"name": ""})), "invalid_request", &["name"]),
        (
            with(json!({"schedule": {"scheduleType": "cron"}})),
            "invalid_request",
            &["schedule.cronExpression"],
        ),
        (
            with(
                json!({"name": "x\n", "schedule": {"scheduleType": "cron", "cronExpression": "0 2 * *"}}),
            ),
            "invalid_request",
            &["name", "schedule.cronExpression"],
        ),
        (
            with(json!({"streams": ["nothing"]})),
            "invalid_request",
            &["streams[0].name"],
        ),
        (
            with(json!({"streams": []})),
            "invalid_request",
            &["streams"],
        ),
    ] {
        refused(&stack, "/ingestion", &body, code, named).await;
    }
    for (path, code) in [
        ("/datasource/not-an-id", "datasource_not_found"),
        ("/sink/not-an-id", "sink_not_found"),
        ("/ingestion/not-an-id", "connection_not_found"),
        (
            "/api/v1/airbyte/ingestion/0190a5c1-0000-7000-8000-000000000001/status",
            "connection_not_found",
        ),
        (
            "/sink/0190a5c1-0000-7000-8000-000000000001",
            "sink_not_found",
        ),
    ] {
        stack.api.get(path).await.expect_problem(404, code);
    }
    let text = stack.api.post_text("/datasource", "{").await;
    text.expect_problem(400, "malformed_request");
    let query = stack.api.post("/sink?check=perhaps", &json!({})).await;
    query.expect_problem(400, "malformed_request");
    // Nothing was made by any of these.
    assert_eq!(stack.airbyte_objects().await, (1, 0));
    assert_eq!(stack.api.get("/sink").await.expect(200)["total"], 2);
    assert_eq!(
        stack.api.get("/ingestion?status=active").await.expect(200)["total"],
        0
    );
    assert_eq!(stack.api.get("/operations").await.expect(200), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_another_ingestion_writes_is_refused() {
    let stack = StackBuilder::one_process().start().await;
    let (one, lake) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let body = |name: &str| json!({"name": name, "sourceId": one, "sinkId": lake});
    crate::ingestion(&stack.api, &body("first")).await;
    let refused = stack.api.post("/ingestion", &body("second")).await;
    let problem = refused.expect_problem(409, "destination_stream_conflict");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`orders` (by connection `first`"),
        "{detail}"
    );
    // The first one is as it was, source and all.
    assert_eq!(stack.airbyte_objects().await, (1, 1));
    let other = json!({"name": "first", "sourceId": one, "sinkId": lake, "status": "inactive"});
    let taken = stack.api.post("/ingestion", &other).await;
    let taken = taken.expect_problem(409, "connection_name_taken");
    assert_eq!(fields(&taken), ["name"]);
}
