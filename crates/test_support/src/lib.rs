#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails is a test that fails"
)]

mod api;
mod database;
mod listener;
mod process;
mod proxy;
mod redis;
mod skip;
mod stack;
mod wait;
mod wire;

/// The same test in one process on SQLite, and in four on PostgreSQL: a module of the function's name
/// with both.
#[macro_export]
macro_rules! on_both {
    ($test:ident) => {
        mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_one_process_on_sqlite() {
                super::$test($crate::StackBuilder::one_process().start().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_four_processes_on_postgresql() {
                let database = $crate::Database::postgres().await;
                let stack = $crate::StackBuilder::four_processes(database);
                super::$test(stack.start().await).await;
            }
        }
    };
}

pub use api::{Answer, Api};
pub use database::Database;
pub use listener::{Listener, Message};
pub use process::{Process, binary, workspace_root};
pub use proxy::{Fault, Proxy};
pub use redis::Redis;
pub use skip::skip;
pub use stack::{KEY, Stack, StackBuilder, Wires, salesforce};
pub use wait::{eventually, eventually_within};
pub use wire::{Wire, WireFault};
