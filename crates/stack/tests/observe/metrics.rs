//! Metrics: what they count is what happened.

use serde_json::json;
use test_support::{Database, Stack, eventually};

use crate::given;

/// The value of the first line that begins so.
async fn value(stack: &Stack, line: &str) -> Option<f64> {
    let text = stack.api.get("/metrics").await.text;
    let found = text.lines().find(|candidate| candidate.starts_with(line))?;
    found.rsplit(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_calls_leader_tasks_and_freshness_are_measured() {
    for database in given::databases().await {
        let stack = given::shop(database, &[]).await;
        let name = "shop \"one\"\\two";
        let body = json!({"source_type": "sqlite", "connection_name": name, "prefix": "s_",
            "source_config": {"path": stack.data().join("shop.db")}});
        let made = stack
            .api
            .post("/connections/onboard", &body)
            .await
            .expect(201);
        let id = made["id"].as_str().unwrap();
        let fresh =
            format!("aam_connection_last_success_timestamp_seconds{{connection_id=\"{id}\"}}");
        assert_eq!(value(&stack, &fresh).await, None, "before the first sync");
        let job = stack.sync(id).await;
        let ended = chrono::DateTime::parse_from_rfc3339(job["completed_at"].as_str().unwrap());
        assert_eq!(
            value(&stack, &fresh).await,
            Some(ended.unwrap().timestamp() as f64)
        );
        let info = format!(
            r#"aam_connection_info{{connection_id="{id}",name="shop \"one\"\\two",source_type="SQLite",status="ACTIVE"}}"#
        );
        assert_eq!(value(&stack, &info).await, Some(1.0));
        let succeeded = r#"aam_jobs_total{type="sync",outcome="succeeded"}"#;
        assert_eq!(value(&stack, succeeded).await, Some(1.0));
        let started = r#"aam_airbyte_calls_total{operation="starting_a_sync",code="200"}"#;
        assert!(value(&stack, started).await >= Some(1.0));
        for step in ["create_source", "create_connection", "commit_version"] {
            let line = format!(
                r#"aam_operation_steps_total{{kind="onboard",step="{step}",outcome="done"}}"#
            );
            assert_eq!(value(&stack, &line).await, Some(1.0), "{step}");
        }
        let request = r#"aam_http_requests_total{service="orchestrator",method="POST",route="/connections/onboard",status="201"}"#;
        assert_eq!(value(&stack, request).await, Some(1.0));
        assert_eq!(
            value(&stack, r#"aam_circuit_state{dependency="airbyte"}"#).await,
            Some(0.0)
        );
        for duty in ["relay", "tracker"] {
            let age = value(&stack, &format!("aam_lease_age_seconds{{name=\"{duty}\"}}")).await;
            assert!(age.is_some_and(|age| age < 10.0), "{duty}: {age:?}");
        }
        eventually(
            async || match value(&stack, "aam_outbox_lag_seconds").await {
                Some(0.0) => Ok(()),
                other => Err(other),
            },
        )
        .await;
        let streamed = stack.api.get("/metrics/connections").await;
        assert_eq!(streamed.status, 200);
        let lines: Vec<&str> = streamed
            .text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert_eq!(lines.len(), 2, "{}", streamed.text);
        let text = stack.api.get("/metrics").await.text;
        for line in text.lines().filter(|line| line.starts_with("aam_")) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, end| name.trim_end_matches(end));
            assert!(
                text.contains(&format!("# HELP {family} ")),
                "{family} has no HELP"
            );
            assert!(
                text.contains(&format!("# TYPE {family} ")),
                "{family} has no TYPE"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_is_down_opens_its_circuit_and_closes_it_by_itself() {
    let mut stack = given::shop(Database::Sqlite, &[]).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    stack.airbyte.as_mut().unwrap().kill();
    let path = format!("/connections/{id}/sync");
    let circuit = async |stack: &Stack| {
        let ready = stack.api.get("/ready").await.json();
        let dependencies = ready["dependencies"].as_array().unwrap().clone();
        let airbyte = dependencies
            .into_iter()
            .find(|d| d["name"] == "airbyte")
            .unwrap();
        airbyte["circuit"].as_str().unwrap().to_owned()
    };
    eventually(async || {
        let refused = stack.api.post_empty(&path).await;
        refused.expect_problem(503, "airbyte_unavailable");
        assert!(refused.headers.contains_key("retry-after"));
        let seen = circuit(&stack).await;
        if seen == "open" { Ok(()) } else { Err(seen) }
    })
    .await;
    // Refused at once, without waiting for a connection.
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        stack
            .api
            .post_empty(&path)
            .await
            .expect_problem(503, "airbyte_unavailable");
    }
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    stack.start_airbyte().await;
    eventually(async || {
        let seen = circuit(&stack).await;
        if seen == "closed" { Ok(()) } else { Err(seen) }
    })
    .await;
    stack.sync(&id).await;
}
