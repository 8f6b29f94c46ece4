//! Renamed columns: recognised, accepted or not, and kept under their name downstream.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Database, Fault, Stack, StackBuilder};

use super::{follow_up, heal, onboard, plan, shop, shop_with, version};

/// The one change of that kind.
fn change<'a>(plan: &'a Value, kind: &str) -> &'a Value {
    let changes = plan["plan"]["changes"].as_array().unwrap();
    let mut found = changes.iter().filter(|change| change["kind"] == kind);
    let change = found.next().unwrap_or_else(|| panic!("{plan:#}"));
    assert!(found.next().is_none(), "{plan:#}");
    change
}

async fn rename(stack: &Stack, from: &str, to: &str) {
    let rename = format!("ALTER TABLE orders RENAME COLUMN {from} TO {to}");
    stack.sqlite("shop.db", &rename).await;
}

const ROWS: &str =
    "SELECT group_concat(id || ':' || note, ',') FROM (SELECT * FROM shop_orders ORDER BY id)";

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_key_waits_is_accepted_and_keeps_its_rows() {
    let (stack, id) = shop().await;
    rename(&stack, "id", "order_id").await;
    let proposed = heal(&stack, &id, json!({})).await;
    assert_eq!(
        proposed["outcome"], "proposed",
        "a weak rename waits: {proposed:#}"
    );
    let plan = plan(&stack, &id).await;
    let renamed = change(&plan, "field_renamed");
    assert_eq!(renamed["evidence"]["grade"], "weak");
    assert_eq!(renamed["roles"], json!(["selected", "primary_key"]));
    assert_eq!(renamed["breaking_for_airbyte"], true);
    let body = json!({"accept": [renamed["id"]], "plan_hash": plan["plan_hash"]});
    let healed = heal(&stack, &id, body).await;
    assert_eq!(healed["outcome"], "healed", "{healed:#}");
    follow_up(&stack, &healed).await;
    let update =
        "UPDATE orders SET note = 'z', updated_at = '2026-01-03T00:00:00Z' WHERE order_id = 2";
    stack.sqlite("shop.db", update).await;
    stack.sync(&id).await;
    assert_eq!(
        stack.warehouse_value(ROWS).await.unwrap(),
        "1:a,2:z",
        "by the same key"
    );
    assert_eq!(heal(&stack, &id, json!({})).await["outcome"], "no_drift");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_rename_drops_one_column_and_adds_another() {
    let (stack, id) = shop().await;
    rename(&stack, "note", "notes").await;
    let plan = plan(&stack, &id).await;
    let renamed = change(&plan, "field_renamed")["id"].clone();
    let healed = heal(&stack, &id, json!({"reject": [renamed]})).await;
    assert_eq!(healed["outcome"], "healed", "{healed:#}");
    follow_up(&stack, &healed).await;
    let both =
        "SELECT group_concat(note || notes, ',') FROM (SELECT * FROM shop_orders ORDER BY id)";
    let both = stack.try_warehouse_value(both).await;
    assert!(both.is_some(), "both columns are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_mappers_gets_the_new_name_and_a_refresh() {
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .proxied()
        .start()
        .await;
    let id = shop_with(&stack, json!("propose")).await;
    rename(&stack, "note", "notes").await;
    let plan = plan(&stack, &id).await;
    let renamed = change(&plan, "field_renamed")["id"].clone();
    stack.proxy.as_ref().unwrap().fail(
        Method::POST,
        "/connections/update",
        Fault::Refused("error:mapper-validation"),
        1,
    );
    let healed = heal(&stack, &id, json!({"accept": [renamed]})).await;
    assert_eq!(healed["outcome"], "healed", "{healed:#}");
    assert!(
        healed["notes"].to_string().contains("rejected the mapper"),
        "{healed:#}"
    );
    let job = follow_up(&stack, &healed).await;
    assert_eq!(job["job_type"], "refresh");
    let filled = "SELECT group_concat(notes, ',') FROM (SELECT * FROM shop_orders ORDER BY id)";
    assert_eq!(stack.warehouse_value(filled).await.unwrap(), "a,b");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresqls_own_column_numbers_heal_a_rename_without_a_person() {
    let database = Database::postgres().await;
    database
        .execute(
            "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT, updated_at TIMESTAMPTZ NOT NULL);
         INSERT INTO orders VALUES (1, 'a', '2026-01-01'), (2, 'b', '2026-01-02')",
        )
        .await;
    let stack = StackBuilder::one_process().start().await;
    let body = json!({
        "source_type": "postgres",
        "connection_name": "shop",
        "source_config": database.source_config(),
        "prefix": "shop_",
        "drift_policy": "auto",
    });
    let id = onboard(&stack, &body).await;
    stack.sync(&id).await;
    // The names do not show that these are the same; their numbers in the table do.
    database
        .execute("ALTER TABLE orders RENAME COLUMN id TO bestellnummer; ALTER TABLE orders RENAME COLUMN note TO x")
        .await;
    let healed = heal(&stack, &id, json!({})).await;
    assert_eq!(healed["outcome"], "healed", "{healed:#}");
    let changes = healed["plan"]["changes"].as_array().unwrap();
    assert!(
        changes
            .iter()
            .all(|change| change["evidence"]["grade"] == "exact"),
        "{healed:#}"
    );
    assert_eq!(version(&stack, &id).await, 2);
    follow_up(&stack, &healed).await;
    database
        .execute("UPDATE orders SET x = 'z', updated_at = '2026-01-03' WHERE bestellnummer = 2")
        .await;
    stack.sync(&id).await;
    assert_eq!(stack.warehouse_value(ROWS).await.unwrap(), "1:a,2:z");
}
