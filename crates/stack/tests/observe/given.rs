//! What the tests here begin with.

use test_support::{Database, Stack, StackBuilder};

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

/// On each kind of database: what is said must not depend on it.
pub(crate) async fn databases() -> Vec<Database> {
    vec![Database::Sqlite, Database::postgres().await]
}
