//! What the tests here begin with.

use serde_json::Value;
use test_support::{Database, Stack, StackBuilder, salesforce};

/// Four processes with a table of orders to onboard.
pub(crate) async fn shop(database: Database, variables: &[(&str, &str)]) -> Stack {
    let mut builder = StackBuilder::four_processes(database);
    for (name, value) in variables {
        builder = builder.with(name, value);
    }
    let stack = builder.start().await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP);
             INSERT INTO orders (note) VALUES ('a'), ('b'), ('c')",
        )
        .await;
    stack
}

/// On each kind of database: the result must not depend on it.
pub(crate) async fn databases() -> Vec<Database> {
    vec![Database::Sqlite, Database::postgres().await]
}

/// Four processes on `database` with a connection of a source that can be held up by files in
/// `control`; its id with the stack.
pub(crate) async fn gated(database: Database, control: &std::path::Path) -> (Stack, Value) {
    let stack = StackBuilder::four_processes(database)
        .held_salesforce(control)
        .start()
        .await;
    let body = salesforce("crm");
    let made = stack
        .api
        .post("/connections/onboard", &body)
        .await
        .expect(201);
    (stack, made)
}
