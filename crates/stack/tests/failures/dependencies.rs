//! Airbyte or the registry failing at each step: a clean slate, an adopted object, or an honest
//! answer, and never a 500.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Database, Fault, Stack, StackBuilder, eventually};

async fn proxied() -> Stack {
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .proxied()
        .start()
        .await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP)",
        )
        .await;
    stack
}

fn onboarding(stack: &Stack, name: &str) -> Value {
    json!({"source_type": "sqlite", "connection_name": name, "prefix": format!("{name}_"),
           "source_config": {"path": stack.data().join("shop.db")}})
}

/// Every call that an onboarding makes after its first effect, in order.
const STEPS: &[(&str, &str)] = &[
    ("POST", "/api/public/v1/sources"),
    ("POST", "/api/v1/sources/check_connection"),
    ("POST", "/api/v1/sources/discover_schema"),
    ("GET", "/api/public/v1/streams"),
    ("POST", "/api/public/v1/connections"),
    ("POST", "/api/v1/connections/get"),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_onboarding_that_fails_at_any_step_leaves_a_clean_slate_and_can_be_repeated() {
    let stack = proxied().await;
    let proxy = stack.proxy.as_ref().unwrap();
    for (index, (method, path)) in STEPS.iter().enumerate() {
        let body = onboarding(&stack, &format!("step{index}"));
        let before = stack.airbyte_objects().await;
        proxy.fail(method.parse().unwrap(), path, Fault::Before(500), 9);
        let refused = stack.api.post("/connections/onboard", &body).await;
        refused.expect_problem(502, "airbyte_failed");
        proxy.mend();
        assert_eq!(
            stack.airbyte_objects().await,
            before,
            "{path} left something"
        );
        let made = stack
            .api
            .post("/connections/onboard", &body)
            .await
            .expect(201);
        assert_eq!(made["status"], "ACTIVE");
        assert_eq!(stack.airbyte_objects().await, (before.0 + 1, before.1 + 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_happened_although_it_failed_is_adopted() {
    let stack = proxied().await;
    let proxy = stack.proxy.as_ref().unwrap();
    for (index, path) in ["/api/public/v1/sources", "/api/public/v1/connections"]
        .iter()
        .enumerate()
    {
        proxy.fail(Method::POST, path, Fault::After(504), 1);
        let body = onboarding(&stack, &format!("late{index}"));
        stack
            .api
            .post("/connections/onboard", &body)
            .await
            .expect(201);
        assert_eq!(
            stack.airbyte_objects().await,
            (index + 1, index + 1),
            "{path} was doubled"
        );
    }
    let id = stack.api.get("/connections").await.json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    proxy.fail(Method::POST, "/api/public/v1/jobs", Fault::After(504), 1);
    let started = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await
        .expect(200);
    let job = stack.job_ended(started["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "succeeded");
    let jobs = stack
        .api
        .get(&format!("/connections/{id}/jobs"))
        .await
        .expect(200);
    assert_eq!(
        jobs.as_array().unwrap().len(),
        1,
        "a trigger whose answer was lost started one sync"
    );
}

/// Waits until nothing is left in Airbyte and the connection is FAILED.
async fn taken_back(stack: &Stack) {
    test_support::eventually_within(std::time::Duration::from_secs(90), async || {
        let objects = stack.airbyte_objects().await;
        let row = stack.api.get("/connections").await.json()[0].clone();
        if objects == (0, 0) && row["status"] == "FAILED" {
            Ok(())
        } else {
            Err((objects, row))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_rollback_is_finished_when_airbyte_is_back() {
    let stack = proxied().await;
    let proxy = stack.proxy.as_ref().unwrap();
    let body = onboarding(&stack, "shop");
    proxy.fail(
        Method::POST,
        "/api/v1/sources/check_connection",
        Fault::Before(500),
        9,
    );
    // Three attempts each, and the rollback's list of sources fails as well.
    proxy.fail(
        Method::GET,
        "/api/public/v1/connections",
        Fault::Before(500),
        9,
    );
    stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect_problem(502, "airbyte_failed");
    assert_eq!(
        stack.airbyte_objects().await,
        (1, 0),
        "nothing could be taken back yet"
    );
    proxy.mend();
    taken_back(&stack).await;

    // The same when it fails before its first step: an earlier one's leavings cannot be looked for.
    proxy.fail(Method::GET, "/api/public/v1/sources", Fault::Before(500), 9);
    stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect_problem(502, "airbyte_failed");
    proxy.mend();
    taken_back(&stack).await;
    stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heal_that_airbyte_rejects_leaves_the_old_catalog_active() {
    let stack = proxied().await;
    let proxy = stack.proxy.as_ref().unwrap();
    let made = stack
        .api
        .post("/connections/onboard", &onboarding(&stack, "shop"))
        .await
        .expect(201);
    let id = made["id"].as_str().unwrap();
    stack
        .sqlite("shop.db", "ALTER TABLE orders ADD COLUMN total REAL")
        .await;
    let heal = format!("/connections/{id}/heal");
    let airbyte = stack.airbyte_api().await;
    let connection = json!({"connectionId": made["airbyte_connection_id"]});
    let columns = async || {
        let read = airbyte
            .post("/api/v1/connections/get", &connection)
            .await
            .expect(200);
        read["syncCatalog"]["streams"][0]["stream"]["jsonSchema"]["properties"]
            .as_object()
            .unwrap()
            .len()
    };

    // Rejected, or accepted although Airbyte reported a failure: both are restored.
    for fault in [Fault::Before(422), Fault::After(422)] {
        proxy.fail(Method::POST, "/api/v1/connections/update", fault, 1);
        stack
            .api
            .post_empty(&heal)
            .await
            .expect_problem(502, "airbyte_failed");
        assert_eq!(columns().await, 3);
        let now = stack
            .api
            .get(&format!("/connections/{id}"))
            .await
            .expect(200);
        assert_eq!(
            (&now["status"], &now["catalog_version"]),
            (&json!("ACTIVE"), &json!(1)),
            "{now}"
        );
        proxy.mend();
    }

    // Neither the new nor the old catalog can be written: it reports that and retries.
    proxy.fail(
        Method::POST,
        "/api/v1/connections/update",
        Fault::After(422),
        99,
    );
    stack
        .api
        .post_empty(&heal)
        .await
        .expect_problem(502, "airbyte_failed");
    let now = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    assert_eq!(
        (&now["status"], &now["status_reason"]),
        (&json!("FAILED"), &json!("catalog_uncertain"))
    );
    proxy.mend();
    test_support::eventually_within(std::time::Duration::from_secs(90), async || {
        let now = stack
            .api
            .get(&format!("/connections/{id}"))
            .await
            .expect(200);
        if now["status"] == "ACTIVE" {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;
    let healed = stack.api.post_empty(&heal).await.expect(200);
    assert!(
        matches!(healed["outcome"].as_str(), Some("healed" | "no_drift")),
        "{healed}"
    );
    assert_eq!(columns().await, 4);
    let version = stack
        .api
        .get(&format!("/connections/{id}/catalogs/2"))
        .await
        .expect(200);
    assert_eq!(version["origin"], "repair");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_outage_is_reported_and_recovered_from() {
    let mut stack = StackBuilder::four_processes(Database::pgbouncer().await)
        .start()
        .await;
    stack.api.get("/connections").await.expect(200);
    stack.database.cut();
    eventually(async || {
        let ready = stack.api.get("/ready").await;
        if ready.status == 503 {
            Ok(())
        } else {
            Err(ready.text)
        }
    })
    .await;
    for path in [
        "/connections",
        "/connections/00000000-0000-4000-8000-000000000000",
    ] {
        let refused = stack.api.get(path).await;
        assert_eq!(refused.headers["retry-after"], "5");
        refused.expect_problem(503, "registry_unavailable");
    }
    stack
        .broker_api
        .get("/credentials")
        .await
        .expect_problem(503, "registry_unavailable");
    assert_eq!(stack.api.get("/health").await.status, 200);
}

/// More than PostgreSQL has connections for a service.
const HANGING: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_hang_hold_no_connection_to_the_registry_and_no_other_caller_up() {
    let control = tempfile::tempdir().unwrap();
    let hang = control.path().join("hang_discover");
    std::fs::write(&hang, "").unwrap();
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .held_salesforce(control.path())
        .start()
        .await;
    let onboardings = (0..HANGING).map(|n| {
        let body = json!({"source_type": "salesforce", "connection_name": format!("crm{n}"),
            "prefix": format!("crm{n}_"), "source_config": {"client_id": "a", "client_secret": "b",
                "refresh_token": "c", "is_sandbox": false, "auth_type": "Client",
                "start_date": "2024-01-01T00:00:00Z"}});
        let api = stack.api.clone();
        tokio::spawn(async move { api.post("/connections/onboard", &body).await })
    });
    let onboardings: Vec<_> = onboardings.collect();
    eventually(async || match stack.airbyte_objects().await.0 {
        HANGING => Ok(()),
        sources => Err(sources),
    })
    .await;
    eventually(async || {
        let listed = stack.api.get("/connections").await.expect(200);
        assert_eq!(listed.as_array().unwrap().len(), HANGING);
        let text = stack.api.get("/metrics").await.text;
        let value = |state: &str| {
            let line = format!(r#"aam_database_connections{{pool="registry",state="{state}"}} "#);
            let found = text.lines().find_map(|found| found.strip_prefix(&line));
            found.unwrap().to_owned()
        };
        let (open, idle) = (value("open"), value("idle"));
        if open == idle {
            Ok(())
        } else {
            Err(format!("{idle} of {open} idle"))
        }
    })
    .await;
    std::fs::remove_file(&hang).unwrap();
    for onboarding in onboardings {
        onboarding.await.unwrap().expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_connector_cannot_run_reaches_the_caller() {
    let stack = StackBuilder::one_process()
        .with("PATH", "/nonexistent")
        .start()
        .await;
    let body = json!({"source_type": "Faker", "connection_name": "people", "source_config": {"count": 10}});
    let refused = stack.api.post("/connections/onboard", &body).await;
    assert!(refused.status >= 400, "{}", refused.text);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("there is no Python on the PATH"),
        "{detail}"
    );
}
