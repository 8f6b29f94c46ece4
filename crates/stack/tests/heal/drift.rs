//! What is done about each kind of drift.

use serde_json::json;

use super::{follow_up, heal, origins, plan, shop, version};

#[tokio::test(flavor = "multi_thread")]
async fn without_drift_nothing_happens() {
    let (stack, id) = shop().await;
    assert_eq!(heal(&stack, &id, json!({})).await["outcome"], "no_drift");
    assert_eq!(version(&stack, &id).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_column_is_applied_and_older_rows_are_filled() {
    let (stack, id) = shop().await;
    stack
        .sqlite(
            "shop.db",
            "ALTER TABLE orders ADD COLUMN currency TEXT DEFAULT 'EUR'",
        )
        .await;
    let healed = heal(&stack, &id, json!({})).await;
    assert_eq!(healed["outcome"], "healed", "{healed}");
    assert_eq!(
        (&healed["previous_version"], &healed["new_version"]),
        (&json!(1), &json!(2))
    );
    let job = follow_up(&stack, &healed).await;
    assert_eq!(job["job_type"], "refresh");
    let filled = stack
        .warehouse_value("SELECT group_concat(currency) FROM shop_orders")
        .await;
    assert_eq!(filled.unwrap(), "EUR,EUR");
    let rows = stack
        .warehouse_value("SELECT count(*) FROM shop_orders")
        .await;
    assert_eq!(rows.unwrap(), "2", "a refresh doubles no row");
    assert_eq!(heal(&stack, &id, json!({})).await["outcome"], "no_drift");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_column_waits_until_it_is_accepted() {
    let (stack, id) = shop().await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders DROP COLUMN note")
        .await;
    let proposed = heal(&stack, &id, json!({})).await;
    assert_eq!(proposed["outcome"], "proposed", "{proposed}");
    assert_eq!(version(&stack, &id).await, 1);
    let change = proposed["pending"][0].as_str().unwrap().to_owned();
    stack.sync(&id).await;

    let again = plan(&stack, &id).await;
    assert_eq!(
        again["plan"]["changes"][0]["id"], change,
        "a proposal stays until it is decided"
    );
    let path = format!("/connections/{id}/heal");
    let unknown = stack
        .api
        .post(&path, &json!({"accept": ["123456789abc"]}))
        .await;
    let problem = unknown.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["field"], "accept");

    let healed = heal(&stack, &id, json!({"accept": [change]})).await;
    assert_eq!(healed["outcome"], "healed", "{healed}");
    follow_up(&stack, &healed).await;
    assert_eq!(version(&stack, &id).await, 2);
    assert_eq!(origins(&stack, &id).await, ["repair", "onboarding"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_plan_is_not_applied() {
    let (stack, id) = shop().await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders DROP COLUMN note")
        .await;
    let seen = plan(&stack, &id).await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders DROP COLUMN total")
        .await;
    let body = json!({"plan_hash": seen["plan_hash"], "accept": "all"});
    let stale = stack
        .api
        .post(&format!("/connections/{id}/heal"), &body)
        .await;
    let problem = stale.expect_problem(409, "plan_stale");
    assert_eq!(
        problem["plan"]["changes"].as_array().unwrap().len(),
        2,
        "the new plan is told"
    );
    assert_eq!(version(&stack, &id).await, 1);
    let body = json!({"plan_hash": problem["plan_hash"], "accept": "all"});
    assert_eq!(heal(&stack, &id, body).await["outcome"], "healed");
}

#[tokio::test(flavor = "multi_thread")]
async fn harmless_parts_are_applied_while_the_rest_waits() {
    let (stack, id) = shop().await;
    stack
        .sqlite(
            "shop.db",
            "ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders ADD COLUMN qty INTEGER;
            CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, updated_at TIMESTAMP)",
        )
        .await;
    let healed = heal(&stack, &id, json!({})).await;
    assert_eq!(healed["outcome"], "healed", "{healed}");
    assert_eq!(healed["pending"].as_array().unwrap().len(), 2, "{healed}");
    follow_up(&stack, &healed).await;
    let waiting = plan(&stack, &id).await;
    let kinds: Vec<&str> = waiting["plan"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["field_removed", "stream_added"]);

    stack
        .sqlite(
            "shop.db",
            "INSERT INTO customers VALUES (1, 'x', '2026-02-01T00:00:00Z')",
        )
        .await;
    let healed = heal(&stack, &id, json!({"accept": "all"})).await;
    follow_up(&stack, &healed).await;
    let rows = stack
        .warehouse_value("SELECT count(*) FROM shop_customers")
        .await;
    assert_eq!(rows.unwrap(), "1");
    assert_eq!(
        origins(&stack, &id).await,
        ["repair", "repair", "onboarding"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cursor_warns_that_airbyte_will_cancel_the_next_sync() {
    let (stack, id) = shop().await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders DROP COLUMN updated_at")
        .await;
    let seen = plan(&stack, &id).await;
    assert!(
        seen["warnings"][0]
            .as_str()
            .unwrap()
            .contains("cancel the next sync"),
        "{seen}"
    );
    // That the source proposes no cursor any more is noted by itself; losing the column waits.
    let noted = heal(&stack, &id, json!({})).await;
    assert_eq!(noted["pending"].as_array().unwrap().len(), 1, "{noted}");
    assert!(
        noted["notes"].to_string().contains("cancel the next sync"),
        "{noted}"
    );
    let airbyte = stack.airbyte_api().await;
    let row = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    let connection = json!({"connectionId": row["airbyte_connection_id"]});
    let accepted = async || {
        let read = airbyte
            .post("/api/v1/connections/get", &connection)
            .await
            .expect(200);
        read["sourceCatalogId"].as_str().unwrap().to_owned()
    };
    let before = accepted().await;
    let healed = heal(&stack, &id, json!({"accept": "all"})).await;
    assert_eq!(healed["outcome"], "healed", "{healed}");
    assert_ne!(
        accepted().await,
        before,
        "what is accepted is told to Airbyte, what waits is not"
    );
    follow_up(&stack, &healed).await;
    let rows = stack
        .warehouse_value("SELECT count(*) FROM shop_orders")
        .await;
    assert_eq!(rows.unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_in_airbyte_become_a_version() {
    let (stack, id) = shop().await;
    let row = stack
        .api
        .get(&format!("/connections/{id}"))
        .await
        .expect(200);
    let airbyte = stack.airbyte_api().await;
    let connection = row["airbyte_connection_id"].clone();
    let read = airbyte
        .post(
            "/api/v1/connections/get",
            &json!({"connectionId": connection}),
        )
        .await
        .expect(200);
    let mut catalog = read["syncCatalog"].clone();
    catalog["streams"][0]["config"]["syncMode"] = json!("full_refresh");
    catalog["streams"][0]["config"]["destinationSyncMode"] = json!("overwrite");
    airbyte
        .post(
            "/api/v1/connections/update",
            &json!({"connectionId": connection, "syncCatalog": catalog}),
        )
        .await
        .expect(200);
    assert_eq!(heal(&stack, &id, json!({})).await["outcome"], "no_drift");
    assert_eq!(origins(&stack, &id).await, ["external", "onboarding"]);
    let version = stack
        .api
        .get(&format!("/connections/{id}/catalogs/2"))
        .await
        .expect(200);
    assert_eq!(
        version["sync_catalog"]["streams"][0]["config"]["syncMode"],
        "full_refresh"
    );
    let diff = stack
        .api
        .get(&format!("/connections/{id}/catalogs/diff"))
        .await
        .expect(200);
    assert_eq!(diff["changes"], json!([]), "the source is as it was");
    assert_eq!(
        diff["settings"][0],
        json!({"action": "set_modes", "stream": {"name": "orders"}, "sync_mode": "full_refresh",
               "destination_sync_mode": "overwrite"}),
        "{diff:#}"
    );
}
