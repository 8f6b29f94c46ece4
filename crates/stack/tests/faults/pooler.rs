//! A pooler between the services and PostgreSQL that keeps no prepared statement: each transaction
//! may run on another connection to the server, and those are closed while the services go on.

use test_support::{Database, Stack, StackBuilder};

use crate::flows::{Flow, Shop};
use crate::table;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_for_any_prepared_statement_that_a_pooler_loses() {
    let database = Database::pgbouncer().await;
    let stack = StackBuilder::four_processes(database)
        .with("AAM_LEASE_SECONDS", "3")
        .start()
        .await;
    let mut shop = Shop::new(stack).await;
    let mut rows = Vec::new();
    for &flow in Flow::ALL {
        let fault = "prepared statements lost";
        rows.push(
            shop.row("pooler", fault, flow, async |_| {}, async |_| {})
                .await,
        );
    }
    for &flow in Flow::ALL {
        let close = async |stack: &Stack| stack.database.close_connections().await;
        let fault = "its connections closed";
        let row = shop.row("pooler", fault, flow, close, async |_| {});
        rows.push(row.await);
    }
    table::print(&rows);
}
