//! Changing, undoing and deleting a connection; answering before the work is done.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Database, Fault, Stack, StackBuilder, eventually, eventually_within};

use super::connection;

async fn shop(builder: StackBuilder) -> (Stack, String) {
    let stack = builder.with("AAM_LEASE_SECONDS", "1").start().await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP NOT NULL);
             INSERT INTO orders VALUES (1, 'a', '2026-01-01T00:00:00Z')",
        )
        .await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    (stack, id)
}

async fn in_airbyte(stack: &Stack, row: &Value) -> Value {
    let airbyte = stack.airbyte_api().await;
    let id = row["airbyte_connection_id"].as_str().unwrap();
    let path = format!("/api/public/v1/connections/{id}");
    airbyte.get(&path).await.expect(200)
}

async fn changes_and_is_guarded(builder: StackBuilder) {
    let (stack, id) = shop(builder).await;
    let path = format!("/connections/{id}");
    let read = stack.api.get(&path).await;
    let etag = read.headers["etag"].to_str().unwrap().to_owned();
    let patch = |etag: &str, body: &Value| {
        stack
            .api
            .request(Method::PATCH, &path)
            .header("if-match", etag)
            .json(body)
    };
    let renamed = patch(&etag, &json!({"name": "store", "drift_policy": "auto"}));
    let renamed = stack.api.send(renamed).await;
    let row = renamed.expect(200);
    assert_eq!(
        (&row["name"], &row["drift_policy"]),
        (&json!("store"), &json!("auto"))
    );
    assert_eq!(in_airbyte(&stack, &row).await["name"], "store");
    let newer = renamed.headers["etag"].to_str().unwrap().to_owned();
    assert_ne!(etag, newer);

    let stale = stack.api.send(patch(&etag, &json!({"name": "late"}))).await;
    stale.expect_problem(412, "precondition_failed");
    assert_eq!(connection(&stack, &id).await["name"], "store");
    assert_eq!(in_airbyte(&stack, &row).await["name"], "store");

    let off = stack
        .api
        .patch(&path, &json!({"status": "inactive"}))
        .await
        .expect(200);
    assert_eq!(off["status"], "INACTIVE");
    assert_eq!(in_airbyte(&stack, &row).await["status"], "inactive");
    let refused = stack.api.post_empty(&format!("{path}/sync")).await;
    refused.expect_problem(409, "connection_not_ready");
    let on = stack
        .api
        .patch(&path, &json!({"status": "active"}))
        .await
        .expect(200);
    assert_eq!(on["status"], "ACTIVE");
    stack.sync(&id).await;

    for (body, field) in [
        (json!({"name": " "}), "name"),
        (json!({"status": "deleted"}), "status"),
        (json!({"drift_policy": "later"}), "drift_policy"),
        (json!({"prefix": "x"}), "prefix"),
    ] {
        let problem = stack.api.patch(&path, &body).await;
        let problem = problem.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let nothing = stack.api.patch(&path, &json!({})).await;
    nothing.expect_problem(422, "invalid_request");
    let other = stack.onboard_sqlite("other", "shop.db").await;
    let taken = stack
        .api
        .patch(&format!("/connections/{other}"), &json!({"name": "store"}))
        .await;
    taken.expect_problem(409, "connection_name_taken");

    let audit = stack
        .api
        .get(&format!("/audit?connection_id={id}"))
        .await
        .expect(200);
    let changed = audit.as_array().unwrap().iter();
    let actions = || audit.as_array().unwrap().iter().map(|one| &one["action"]);
    assert_eq!(
        actions()
            .filter(|action| **action == "connection.sync")
            .count(),
        1
    );
    let mut changed = changed.filter(|one| one["action"] == "connection.update");
    let first = changed.next_back().unwrap();
    assert_eq!(first["before"]["name"], "shop", "{audit:#}");
    assert_eq!(first["after"]["name"], "store", "{audit:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_guarded_by_the_revision_on_sqlite() {
    changes_and_is_guarded(StackBuilder::one_process()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_guarded_by_the_revision_on_postgresql() {
    let database = Database::postgres().await;
    changes_and_is_guarded(StackBuilder::four_processes(database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_changes_for_one_revision_one_is_made() {
    let (stack, id) = shop(StackBuilder::four_processes(Database::postgres().await)).await;
    let path = format!("/connections/{id}");
    let etag = stack.api.get(&path).await.headers["etag"].clone();
    let answers = futures::future::join_all((0..20).map(|n| {
        let request = stack
            .api
            .request(Method::PATCH, &path)
            .header("if-match", etag.clone())
            .json(&json!({"name": format!("shop{n}")}));
        stack.api.send(request)
    }))
    .await;
    let made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(made.len(), 1);
    let refused = answers.iter().filter(|answer| answer.status != 200);
    for answer in refused {
        // Another change was under way, or had been made.
        assert!(matches!(answer.status, 409 | 412), "{}", answer.text);
    }
    assert_eq!(
        connection(&stack, &id).await["name"],
        made[0].json()["name"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_a_new_version_equal_to_the_old_one() {
    let (stack, id) = shop(StackBuilder::one_process()).await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders ADD COLUMN total REAL")
        .await;
    let heal = format!("/connections/{id}/heal");
    let healed = stack.api.post_empty(&heal).await.expect(200);
    assert_eq!(healed["new_version"], 2, "{healed}");
    let operations = format!("/connections/{id}/operations");
    eventually(async || {
        let all = stack.api.get(&operations).await.expect(200);
        let is_open = |one: &Value| matches!(one["status"].as_str(), Some("pending" | "running"));
        if all.as_array().unwrap().iter().any(is_open) {
            Err(all)
        } else {
            Ok(())
        }
    })
    .await;
    for job in stack
        .api
        .get(&format!("/connections/{id}/jobs"))
        .await
        .expect(200)
        .as_array()
        .unwrap()
    {
        stack.job_ended(job["job_id"].as_str().unwrap()).await;
    }
    let rollback = json!({"connection_id": id, "version": 1, "expected_version": 2});
    let answer = stack
        .agent_api
        .post("/repair/rollback", &rollback)
        .await
        .expect(200);
    assert_eq!(
        (&answer["previous_version"], &answer["new_version"]),
        (&json!(2), &json!(3))
    );
    assert!(
        answer["message"].as_str().unwrap().contains("sync state"),
        "{answer}"
    );
    let catalog = async |version: i64| {
        let path = format!("/connections/{id}/catalogs/{version}");
        stack.api.get(&path).await.expect(200)
    };
    let (first, third) = (catalog(1).await, catalog(3).await);
    assert_eq!(first["sync_catalog"], third["sync_catalog"]);
    assert_eq!(third["origin"], "rollback");
    assert_eq!(connection(&stack, &id).await["catalog_version"], 3);
    stack.sync(&id).await;

    let again = stack.agent_api.post("/repair/rollback", &rollback).await;
    again.expect_problem(409, "version_conflict");
    let same = json!({"connection_id": id, "version": 3});
    let same = stack
        .agent_api
        .post("/repair/rollback", &same)
        .await
        .expect(200);
    assert_eq!(same["new_version"], 3, "nothing to do");
    let unknown = json!({"connection_id": id, "version": 9});
    let unknown = stack.agent_api.post("/repair/rollback", &unknown).await;
    unknown.expect_problem(404, "version_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_connection_leaves_the_destination_alone() {
    let (stack, id) = shop(StackBuilder::one_process()).await;
    stack.sync(&id).await;
    let path = format!("/connections/{id}");
    let gone = stack.api.delete(&path).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    stack
        .api
        .get(&path)
        .await
        .expect_problem(404, "connection_not_found");
    assert_eq!(stack.airbyte_objects().await, (0, 0));
    let rows = stack
        .warehouse_value("SELECT count(*) FROM shop_orders")
        .await;
    assert_eq!(rows.as_deref(), Some("1"));
    // Its operations are still listed, and the name is free.
    let told = stack
        .api
        .get(&format!("{path}/operations"))
        .await
        .expect(200);
    assert_eq!(told[0]["kind"], "delete");
    stack.onboard_sqlite("shop", "shop.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_a_person_uses_too_stays() {
    let (stack, id) = shop(StackBuilder::one_process()).await;
    let row = connection(&stack, &id).await;
    let airbyte = stack.airbyte_api().await;
    let theirs = json!({"sourceId": row["airbyte_source_id"], "destinationId": row["destination_id"],
        "name": "theirs", "prefix": "theirs_", "configurations": {"streams": [
            {"name": "orders", "syncMode": "full_refresh_overwrite"}]}});
    airbyte
        .post("/api/public/v1/connections", &theirs)
        .await
        .expect(200);
    let gone = stack.api.delete(&format!("/connections/{id}")).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_waits_for_an_airbyte_that_is_away() {
    let (stack, id) = shop(StackBuilder::four_processes(Database::Sqlite).proxied()).await;
    let proxy = stack.proxy.as_ref().unwrap();
    proxy.fail(Method::GET, "/api/public/v1/jobs", Fault::Before(503), 99);
    let path = format!("/connections/{id}");
    let accepted = stack.api.delete(&path).await;
    let operation = accepted.expect(202);
    assert_eq!(operation["kind"], "delete");
    let location = accepted.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(
        location,
        format!("/operations/{}", operation["id"].as_str().unwrap())
    );
    let row = connection(&stack, &id).await;
    assert_eq!(
        (&row["status"], &row["status_reason"]),
        (&json!("INACTIVE"), &json!("deleting"))
    );
    let refused = stack.api.post_empty(&format!("{path}/sync")).await;
    refused.expect_problem(409, "connection_not_ready");
    let again = stack.api.delete(&path).await.expect(202);
    assert_eq!(
        again["id"], operation["id"],
        "one deletion, asked for twice"
    );

    proxy.mend();
    let ended = eventually_within(std::time::Duration::from_secs(60), async || {
        let now = stack.api.get(&location).await.expect(200);
        if now["status"] == "succeeded" {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await;
    let steps: Vec<_> = ended["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["step"].clone())
        .collect();
    assert!(steps.contains(&json!("delete_source")), "{ended:#}");
    assert_eq!(stack.airbyte_objects().await, (0, 0));
    stack
        .api
        .get(&path)
        .await
        .expect_problem(404, "connection_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_onboarding_is_followed_by_its_operation() {
    let (stack, _) = shop(StackBuilder::one_process()).await;
    let body = json!({"source_type": "sqlite", "connection_name": "second", "prefix": "second_",
        "source_config": {"path": stack.data().join("shop.db")}});
    let request = || {
        stack
            .api
            .request(Method::POST, "/connections/onboard")
            .header("prefer", "respond-async")
            .json(&body)
    };
    let accepted = stack.api.send(request()).await;
    let operation = accepted.expect(202);
    let location = accepted.headers["location"].to_str().unwrap().to_owned();
    let ended = eventually(async || {
        let now = stack.api.get(&location).await.expect(200);
        if now["status"] == "succeeded" {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await;
    assert_eq!(ended["id"], operation["id"]);
    let steps: Vec<_> = ended["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["step"].clone())
        .collect();
    assert_eq!(
        json!(steps),
        json!([
            "create_source",
            "check_source",
            "discover_schema",
            "create_connection",
            "commit_version"
        ])
    );
    let all = ended["steps"].as_array().unwrap();
    assert!(all.iter().all(|step| step["status"] == "done"), "{ended:#}");
    let id = ended["connection_id"].as_str().unwrap();
    assert_eq!(connection(&stack, id).await["status"], "ACTIVE");
    assert_eq!(
        stack.api.send(request()).await.status,
        200,
        "it is there already"
    );

    let broken = json!({"source_type": "sqlite", "connection_name": "third",
        "source_config": {"path": stack.data().join("missing.db")}});
    let refused = stack
        .api
        .request(Method::POST, "/connections/onboard")
        .header("prefer", "respond-async")
        .json(&broken);
    let accepted = stack.api.send(refused).await;
    let location = accepted.headers["location"].to_str().unwrap().to_owned();
    let ended = eventually(async || {
        let now = stack.api.get(&location).await.expect(200);
        if now["status"] == "failed" {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await;
    assert!(
        ended["error"].as_str().unwrap().contains("missing.db"),
        "{ended}"
    );
    assert_eq!(stack.airbyte_objects().await, (2, 2));
}
