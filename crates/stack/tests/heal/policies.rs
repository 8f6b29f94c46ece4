//! What a connection's policy makes of drift.

use serde_json::json;
use test_support::StackBuilder;

use super::{follow_up, heal, shop_with, version};

const DROP: &str = "ALTER TABLE orders DROP COLUMN note";

#[tokio::test(flavor = "multi_thread")]
async fn auto_accepts_a_removed_column() {
    let stack = StackBuilder::one_process().start().await;
    let id = shop_with(&stack, json!("auto")).await;
    stack.sqlite("shop.db", DROP).await;
    let healed = heal(&stack, &id, json!({})).await;
    assert_eq!(healed["outcome"], "healed", "{healed:#}");
    follow_up(&stack, &healed).await;
    assert_eq!(version(&stack, &id).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ignore_changes_nothing_and_proposes_nothing() {
    let stack = StackBuilder::one_process().start().await;
    let id = shop_with(&stack, json!("ignore")).await;
    stack
        .sqlite("shop.db", "ALTER TABLE orders ADD COLUMN extra TEXT")
        .await;
    let healed = heal(&stack, &id, json!({})).await;
    assert_eq!(healed["outcome"], "no_drift", "{healed:#}");
    assert_eq!(healed["plan"]["changes"][0]["decision"], "ignore");
    assert!(healed["pending"].is_null());
    stack.sync(&id).await;
    assert_eq!(version(&stack, &id).await, 1);
    // It may still be in use.
    let change = &healed["plan"]["changes"][0]["id"];
    let accepted = heal(&stack, &id, json!({"accept": [change]})).await;
    assert_eq!(accepted["outcome"], "healed");
    follow_up(&stack, &accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_decides_by_its_first_rule_that_fits() {
    let stack = StackBuilder::one_process().start().await;
    let policy = json!({
        "rules": [
            {"kind": "field_removed", "field": "note", "then": "apply"},
            {"kind": "field_added", "then": "propose"},
        ],
        "otherwise": "ignore",
    });
    let id = shop_with(&stack, policy).await;
    let both = format!("{DROP}; ALTER TABLE orders ADD COLUMN weight_in_grams INTEGER");
    stack.sqlite("shop.db", &both).await;
    let healed = heal(&stack, &id, json!({})).await;
    assert_eq!(healed["outcome"], "healed", "{healed:#}");
    assert_eq!(healed["pending"].as_array().unwrap().len(), 1);
    follow_up(&stack, &healed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_stops_the_connection_until_a_decision() {
    let stack = StackBuilder::one_process().start().await;
    let id = shop_with(&stack, json!("pause")).await;
    stack.sqlite("shop.db", DROP).await;
    let paused = heal(&stack, &id, json!({})).await;
    assert_eq!(paused["outcome"], "paused", "{paused:#}");
    let view = |id: String| {
        let stack = &stack;
        async move {
            stack
                .api
                .get(&format!("/connections/{id}"))
                .await
                .expect(200)
        }
    };
    let now = view(id.clone()).await;
    assert_eq!(
        (&now["status"], &now["status_reason"]),
        (&json!("INACTIVE"), &json!("drift_paused"))
    );
    let refused = stack
        .api
        .post_empty(&format!("/connections/{id}/sync"))
        .await;
    assert_eq!(refused.status, 409, "nothing runs meanwhile");
    let audit = stack.api.get("/audit?action=connection.paused").await;
    let audit = audit.expect(200);
    assert_eq!(audit[0]["target"], json!(id));
    assert_eq!(audit[0]["after"]["status"], "INACTIVE", "{audit}");
    assert_eq!(
        heal(&stack, &id, json!({})).await["outcome"],
        "paused",
        "it stays so"
    );

    let change = paused["pending"][0].clone();
    let deferred = heal(&stack, &id, json!({"defer": [change]})).await;
    assert_eq!(deferred["outcome"], "no_drift", "{deferred:#}");
    assert_eq!(view(id.clone()).await["status"], "ACTIVE");

    let accepted = heal(&stack, &id, json!({"accept": [change]})).await;
    assert_eq!(accepted["outcome"], "healed", "{accepted:#}");
    follow_up(&stack, &accepted).await;
    assert_eq!(version(&stack, &id).await, 2);
}
