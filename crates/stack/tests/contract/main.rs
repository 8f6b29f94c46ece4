//! The requests, answers, tables and variables that programs rely on, replayed to the letter: on
//! SQLite in one process, on PostgreSQL in four, and once behind pgbouncer in transaction mode.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies;
mod salesforce;
mod scripts;
mod tables;
mod wire;

use test_support::{Database, Stack, StackBuilder};

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_one_process() {
    drop(replay(StackBuilder::one_process()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_in_four_processes() {
    drop(replay(StackBuilder::four_processes(Database::postgres().await)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_behind_pgbouncer_in_transaction_mode() {
    let stack = replay(StackBuilder::four_processes(Database::pgbouncer().await)).await;
    wire::many_reads(&stack).await;
}

async fn replay(builder: StackBuilder) -> Stack {
    let stack = salesforce::stack(builder).await;
    wire::health(&stack).await;
    wire::credentials(&stack).await;
    let id = wire::onboarding(&stack).await;
    wire::lists(&stack, &id).await;
    wire::sync(&stack, &id).await;
    wire::apply(&stack, &id).await;
    tables::are_as_they_were(&stack, &id).await;
    stack
}
