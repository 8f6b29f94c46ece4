//! What a create produces after its timeout is found and removed; orphans are listed.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Database, Fault, Stack, StackBuilder, eventually};

use super::connection;

async fn shop(builder: StackBuilder) -> (Stack, Value) {
    let stack = builder.with("AAM_LEASE_SECONDS", "1").start().await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMP)",
        )
        .await;
    let body = json!({"source_type": "sqlite", "connection_name": "shop",
        "source_config": {"path": stack.data().join("shop.db")}});
    (stack, body)
}

async fn workspace(stack: &Stack) -> String {
    let airbyte = stack.airbyte_api().await;
    let all = airbyte.get("/api/public/v1/workspaces").await.expect(200);
    all["data"][0]["workspaceId"].as_str().unwrap().to_owned()
}

/// Makes a source as a create would that Airbyte went on with.
async fn late_source(stack: &Stack, name: &str) -> String {
    let airbyte = stack.airbyte_api().await;
    let body = json!({"name": name, "workspaceId": workspace(stack).await,
        "configuration": {"sourceType": "sqlite", "path": stack.data().join("shop.db")}});
    let made = airbyte
        .post("/api/public/v1/sources", &body)
        .await
        .expect(200);
    made["sourceId"].as_str().unwrap().to_owned()
}

/// The mark of a connection, as the name of its source ends.
async fn mark(stack: &Stack, id: &str) -> String {
    use sqlx::{Connection as _, Row as _};
    let path = stack.home().join("registry.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut registry = sqlx::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    let row = sqlx::query("SELECT installation_id FROM installation")
        .fetch_one(&mut registry)
        .await
        .unwrap();
    let installation: uuid::Uuid = row.get(0);
    let tail = |text: &str| text[text.len() - 12..].to_owned();
    format!(" [aam-{}-{}]", tail(&installation.to_string()), tail(id))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_appears_after_its_create_timed_out_is_removed() {
    let (stack, body) = shop(StackBuilder::four_processes(Database::Sqlite).proxied()).await;
    let proxy = stack.proxy.as_ref().unwrap();
    let sources = "/api/public/v1/sources";
    proxy.fail(Method::POST, sources, Fault::Before(504), 1);
    let refused = stack.api.post("/connections/onboard", &body).await;
    refused.expect_problem(502, "airbyte_failed");
    let row = stack.api.get("/connections").await.json()[0].clone();
    assert_eq!(row["status"], "FAILED", "{row}");
    let id = row["id"].as_str().unwrap();
    let operations = format!("/connections/{id}/operations");
    let operation = stack.api.get(&operations).await.expect(200)[0].clone();
    assert_eq!(operation["status"], "settling", "{operation}");
    assert!(
        operation["error"].as_str().unwrap().contains("504"),
        "{operation}"
    );

    let name = format!("shop{}", mark(&stack, id).await);
    late_source(&stack, &name).await;
    eventually(async || match stack.airbyte_objects().await {
        (0, 0) => Ok(()),
        left => Err(left),
    })
    .await;

    // Onboarded again meanwhile, the connection keeps its own source, and loses only the late one.
    let made = stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect(201);
    assert_eq!(made["id"].as_str(), Some(id));
    late_source(&stack, &name).await;
    eventually(async || match stack.airbyte_objects().await {
        (1, 1) => Ok(()),
        left => Err(left),
    })
    .await;
    let airbyte = stack.airbyte_api().await;
    let kept = made["airbyte_source_id"].as_str().unwrap();
    airbyte.get(&format!("{sources}/{kept}")).await.expect(200);
    stack.sync(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_that_appears_late_is_removed() {
    let (mut stack, body) = shop(StackBuilder::four_processes(Database::Sqlite)).await;
    let failpoint = "onboard.create_connection.intended:1";
    stack.restart_orchestrator(Some(failpoint)).await;
    let request = stack
        .api
        .request(Method::POST, "/connections/onboard")
        .json(&body);
    request.send().await.unwrap_err();
    stack.restart_orchestrator(None).await;
    let row = eventually(async || {
        let row = stack.api.get("/connections").await.expect(200)[0].clone();
        if row["status"] == "ACTIVE" {
            Ok(row)
        } else {
            Err(row)
        }
    })
    .await;
    // The create of the process that died lands only now.
    let airbyte = stack.airbyte_api().await;
    let late = json!({"sourceId": row["airbyte_source_id"], "destinationId": row["destination_id"],
        "name": body["connection_name"], "prefix": "late_", "configurations": {"streams": [
            {"name": "orders", "syncMode": "full_refresh_overwrite"}]}});
    airbyte
        .post("/api/public/v1/connections", &late)
        .await
        .expect(200);
    eventually(async || match stack.airbyte_objects().await {
        (1, 1) => Ok(()),
        left => Err(left),
    })
    .await;
    let kept = row["airbyte_connection_id"].as_str().unwrap();
    let path = format!("/api/public/v1/connections/{kept}");
    assert_eq!(airbyte.get(&path).await.expect(200)["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_listed_and_removed_and_nothing_else_is() {
    let (stack, body) = shop(StackBuilder::one_process()).await;
    let made = stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect(201);
    let mark = mark(&stack, "00000000-0000-7000-8000-0123456789ab").await;
    let orphan = late_source(&stack, &format!("gone{mark}")).await;
    let foreign = late_source(&stack, "a person's own").await;
    let other = late_source(&stack, "x [aam-0123456789ab-0123456789ab]").await;

    let young = stack.api.get("/orphans").await.expect(200);
    assert_eq!(young, json!([]), "what may still be claimed is no orphan");
    let listed = stack.api.get("/orphans?older_than=0").await.expect(200);
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&json!(orphan)], "{listed:#}");
    assert_eq!(
        stack.airbyte_objects().await,
        (4, 1),
        "listing removes nothing"
    );

    let removed = stack.api.delete("/orphans?older_than=0").await.expect(200);
    assert_eq!(removed, listed);
    assert_eq!(stack.airbyte_objects().await, (3, 1));
    let airbyte = stack.airbyte_api().await;
    for kept in [&foreign, &other] {
        airbyte
            .get(&format!("/api/public/v1/sources/{kept}"))
            .await
            .expect(200);
    }
    let audit = stack
        .api
        .get("/audit?action=orphan.delete")
        .await
        .expect(200);
    assert_eq!(audit[0]["target"], json!(orphan));
    let id = made["id"].as_str().unwrap();
    assert_eq!(connection(&stack, id).await["status"], "ACTIVE");
}
