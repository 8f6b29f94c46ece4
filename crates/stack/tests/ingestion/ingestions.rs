//! Ingestions: what callers send today, and that each is a connection.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::{Stack, eventually_within};

use crate::{PREFIX, fields, ingestion, lake, shop, text};

/// The requests that callers send today.
async fn what_callers_send_today_makes_ingestions(stack: Stack) {
    let cases = [
        r#"{"sourceId":"SOURCE","sinkId":"SINK","created":"2024-01-01T00:00:00Z","updated":"2024-01-01T00:00:00Z"}"#,
        r#"{"name":"postgres-to-s3-daily","sourceId":"SOURCE","destinationId":"SINK","schedule":{"scheduleType":"cron","cronExpression":"0 2 * * *"},"status":"active"}"#,
        r#"{"name":"simple-connection","sourceId":"SOURCE","destinationId":"SINK"}"#,
    ];
    for (number, body) in cases.into_iter().enumerate() {
        let prefix = ["", PREFIX][number % 2];
        let source = shop(&stack, &format!("shop{number}")).await;
        let sink = lake(&stack, &format!("lake{number}")).await;
        let body = body.replace("SOURCE", &source).replace("SINK", &sink);
        let path = format!("{prefix}/ingestion");
        let answer = stack.api.post_text(&path, body.clone()).await;
        let made = answer.expect(201);
        let id = text(&made, "connectionId");
        assert_eq!(answer.headers["location"], format!("{path}/{id}"));
        assert_eq!(made["sourceId"], source.as_str());
        assert_eq!(made["destinationId"], sink.as_str());
        assert_eq!(made["sinkId"], sink.as_str());
        assert_eq!(made["status"], "active");
        let (name, schedule) = match number {
            0 => ("shop0 to lake0", json!({"scheduleType": "manual"})),
            1 => (
                "postgres-to-s3-daily",
                json!({"scheduleType": "cron", "cronExpression": "0 2 * * *"}),
            ),
            _ => ("simple-connection", json!({"scheduleType": "manual"})),
        };
        assert_eq!(made["name"], name);
        assert_eq!(made["schedule"], schedule);
        // The creation time is correct, even if another one was sent.
        assert!(
            text(&made, "created").starts_with("20") && text(&made, "created").as_str() > "2026"
        );
        let read = stack.api.get(&format!("{path}/{id}")).await;
        assert_eq!(read.expect(200), made);
        // The same request again is the same ingestion.
        let again = stack.api.post_text(&path, body).await.expect(200);
        assert_eq!(again["connectionId"], made["connectionId"]);
        // It is a connection with everything that belongs to one.
        let connection = stack.api.get(&format!("/connections/{id}")).await;
        let connection = connection.expect(200);
        assert_eq!(connection["status"], "ACTIVE");
        assert_eq!(connection["catalog_version"], 1);
        assert_eq!(connection["source_type"], "SQLite");
        assert_eq!(connection["airbyte_source_id"], source.as_str());
    }
    let listed = stack.api.get("/ingestion").await.expect(200);
    assert_eq!(listed["total"], 3);
    let one = stack.api.get("/ingestion?name=simple-connection").await;
    assert_eq!(one.expect(200)["total"], 1);
    let page = stack.api.get("/ingestion?limit=2").await;
    let next = page.headers["link"].to_str().unwrap().to_owned();
    assert_eq!(page.expect(200)["connections"].as_array().unwrap().len(), 2);
    let next = next.trim_start_matches('<').split('>').next().unwrap();
    let rest = stack.api.get(next).await.expect(200);
    assert_eq!(rest["connections"][0]["name"], "simple-connection");
    assert_eq!(rest["total"], 3);
}
test_support::on_both!(what_callers_send_today_makes_ingestions);

/// A connection that was onboarded shows in the list, and may share its source with an ingestion.
async fn an_onboarded_connection_is_an_ingestion_too(stack: Stack) {
    let fill = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO orders (note) VALUES ('a')";
    stack.sqlite("shop.db", fill).await;
    let onboarded = stack.onboard_sqlite("shop", "shop.db").await;
    let listed = stack.api.get("/ingestion").await.expect(200);
    let first = &listed["connections"][0];
    assert_eq!(first["connectionId"], onboarded.as_str());
    let source = text(first, "sourceId");
    let sink = lake(&stack, "lake").await;
    let body = json!({"name": "second", "sourceId": source, "sinkId": sink});
    let second = ingestion(&stack.api, &body).await;
    // Its name is without the mark in AAM, and stays findable in Airbyte when it changes.
    let path = format!("/ingestion/{second}");
    let renamed = stack.api.patch(&path, &json!({"name": "renamed"})).await;
    assert_eq!(renamed.expect(200)["name"], "renamed");
    let row = stack
        .api
        .get(&format!("/connections/{second}"))
        .await
        .expect(200);
    let airbyte = stack.airbyte_api().await;
    let there = format!(
        "/api/public/v1/connections/{}",
        text(&row, "airbyte_connection_id")
    );
    let name = text(&airbyte.get(&there).await.expect(200), "name");
    assert!(name.starts_with("renamed [aam-"), "{name}");
    // The first one goes; the source stays for the second, which still syncs.
    let deleted = stack.api.delete(&format!("/ingestion/{onboarded}")).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    stack.sync(&second).await;
    let orphans = stack.api.get("/orphans?older_than=0").await.expect(200);
    assert_eq!(orphans, json!([]));
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}
test_support::on_both!(an_onboarded_connection_is_an_ingestion_too);

async fn drift_of_an_ingestion_is_healed(stack: Stack) {
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let id = ingestion(&stack.api, &json!({"sourceId": source, "sinkId": sink})).await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders ADD COLUMN paid INTEGER")
        .await;
    let heal = format!("/connections/{id}/heal");
    let healed = stack.api.post_empty(&heal).await.expect(200);
    assert_eq!(healed["outcome"], "healed", "{healed}");
    let row = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    assert_eq!(row["catalog_version"], 2);
    let status = stack.api.get(&format!("/ingestion/{id}/status")).await;
    assert_eq!(status.expect(200)["status"], "active");
}
test_support::on_both!(drift_of_an_ingestion_is_healed);

async fn a_status_tells_the_last_sync_and_the_next(stack: Stack) {
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let schedule = json!({"scheduleType": "cron", "cronExpression": "0 2 * * *"});
    let body = json!({"sourceId": source, "sinkId": sink, "schedule": schedule});
    let id = ingestion(&stack.api, &body).await;
    let path = format!("{PREFIX}/ingestion/{id}/status");
    let before = stack.api.get(&path).await.expect(200);
    assert_eq!(before["connectionId"], id.as_str());
    assert_eq!(before["ingestionId"], id.as_str());
    assert_eq!(before["lastSync"], Value::Null);
    assert_eq!(before["lastJob"], Value::Null);
    assert_eq!(before["schedule"], schedule);
    assert!(
        text(&before, "nextSync").ends_with("T02:00:00Z"),
        "{before}"
    );
    let started = stack
        .api
        .post_empty(&format!("{PREFIX}/ingestion/{id}/sync"))
        .await;
    let started = started.expect(200);
    assert_eq!(started["status"], "triggered");
    assert_eq!(started["connectionId"], id.as_str());
    let after = eventually_within(Duration::from_secs(60), async || {
        let now = stack.api.get(&path).await.expect(200);
        if now["lastSync"].is_null() {
            Err(now)
        } else {
            Ok(now)
        }
    })
    .await;
    let job = &after["lastJob"];
    assert_eq!(job["id"], started["jobId"]);
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["rows"], 3);
    assert!(job["bytes"].as_i64().unwrap() > 0 && job["startedAt"].is_string());
    let told = stack.api.get(&format!("/jobs/{}", text(job, "id"))).await;
    assert_eq!(after["lastSync"], told.expect(200)["completed_at"]);
    // A job that fails is published, and does not change the last successful sync.
    stack
        .sqlite(
            "shop.db",
            "DROP TABLE orders; CREATE TABLE others (id INTEGER)",
        )
        .await;
    stack
        .api
        .post_empty(&format!("/ingestion/{id}/sync"))
        .await
        .expect(200);
    let failed = eventually_within(Duration::from_secs(120), async || {
        let now = stack.api.get(&path).await.expect(200);
        if now["lastJob"]["status"] == "failed" {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await;
    assert_eq!(failed["lastSync"], after["lastSync"]);
    assert!(failed["lastJob"]["error"].is_string(), "{failed}");
}
test_support::on_both!(a_status_tells_the_last_sync_and_the_next);

async fn name_schedule_and_status_are_changed(stack: Stack) {
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let body = json!({"sourceId": source, "sinkId": sink, "status": "inactive",
        "schedule": {"scheduleType": "basic"}});
    let made = stack.api.post("/ingestion", &body).await.expect(201);
    let every_day = json!({"scheduleType": "basic", "units": 24, "timeUnit": "hours"});
    assert_eq!(made["schedule"], every_day);
    assert_eq!(made["status"], "inactive");
    let id = text(&made, "connectionId");
    let path = format!("/ingestion/{id}");
    let status = stack.api.get(&format!("{path}/status")).await.expect(200);
    assert_eq!(status["nextSync"], Value::Null);
    // Airbyte agrees: nothing runs by itself.
    let row = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    let airbyte = stack.airbyte_api().await;
    let there = format!(
        "/api/public/v1/connections/{}",
        text(&row, "airbyte_connection_id")
    );
    assert_eq!(airbyte.get(&there).await.expect(200)["status"], "inactive");
    let refused = stack.api.post_empty(&format!("{path}/sync")).await;
    refused.expect_problem(409, "connection_not_ready");

    let change = json!({"name": "hourly", "status": "active",
        "schedule": {"scheduleType": "basic", "units": 1, "timeUnit": "hours"}});
    let changed = stack.api.patch(&path, &change).await.expect(200);
    assert_eq!(changed["name"], "hourly");
    assert_eq!(changed["status"], "active");
    assert_eq!(changed["schedule"], change["schedule"]);
    assert_eq!(airbyte.get(&there).await.expect(200)["status"], "active");
    let revision = stack.api.get(&path).await;
    let request = stack.api.request(reqwest::Method::PATCH, &path);
    let stale = request
        .header("if-match", "\"0\"")
        .json(&json!({"name": "late"}));
    let refused = stack.api.send(stale).await;
    refused.expect_problem(412, "precondition_failed");
    let request = stack.api.request(reqwest::Method::PATCH, &path);
    let fresh = request.header("if-match", revision.headers["etag"].clone());
    let changed = stack
        .api
        .send(fresh.json(&json!({"schedule": {"scheduleType": "manual"}})))
        .await;
    assert_eq!(
        changed.expect(200)["schedule"],
        json!({"scheduleType": "manual"})
    );
    for (change, named) in [
        (json!({"streams": ["orders"]}), "streams"),
        (
            json!({"schedule": {"scheduleType": "cron"}}),
            "schedule.cronExpression",
        ),
        (
            json!({"schedule": {"scheduleType": "cron", "cronExpression": "0 0 13 * 5"}}),
            "schedule.cronExpression",
        ),
        (
            json!({"schedule": {"scheduleType": "cron", "cronExpression": "@daily", "cronTimeZone": "Mars"}}),
            "schedule.cronTimeZone",
        ),
        (
            json!({"schedule": {"scheduleType": "basic", "units": 0, "timeUnit": "days"}}),
            "schedule.units",
        ),
    ] {
        let refused = stack.api.patch(&path, &change).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(fields(&refused), [named], "{change}");
    }
    let nothing = stack.api.patch(&path, &json!({"unknown": 1})).await;
    nothing.expect_problem(422, "invalid_request");
}
test_support::on_both!(name_schedule_and_status_are_changed);

/// `Prefer: respond-async`, and streams that are chosen.
async fn an_ingestion_is_followed_by_its_operation(stack: Stack) {
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
        )
        .await;
    let body = json!({"name": "some", "sourceId": source, "sinkId": sink, "streams":
        [{"name": "orders", "syncMode": "full_refresh", "destinationSyncMode": "overwrite", "selectedFields": ["id"]}]});
    let request = stack.api.request(reqwest::Method::POST, "/ingestion");
    let begun = stack
        .api
        .send(request.header("prefer", "respond-async").json(&body))
        .await;
    let location = begun.headers["location"].to_str().unwrap().to_owned();
    begun.expect(202);
    let ended = eventually_within(Duration::from_secs(60), async || {
        let now = stack.api.get(&location).await.expect(200);
        if now["status"] == "succeeded" {
            Ok(now)
        } else {
            Err(now)
        }
    })
    .await;
    let steps: Vec<&str> = ended["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    let expected = [
        "check_source",
        "discover_schema",
        "create_connection",
        "commit_version",
    ];
    assert_eq!(steps, expected);
    let id = text(&ended, "connection_id");
    let catalog = stack
        .api
        .get(&format!("/connections/{id}/catalogs/1"))
        .await;
    let catalog = catalog.expect(200);
    let selected: Vec<&str> = catalog["sync_catalog"]["streams"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|stream| stream["config"]["selected"] == true)
        .map(|stream| stream["stream"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(selected, ["orders"], "{catalog}");
}
test_support::on_both!(an_ingestion_is_followed_by_its_operation);
