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
mod stack;
mod wait;
mod wire;

pub use api::{Answer, Api};
pub use database::Database;
pub use listener::{Listener, Message};
pub use process::{Process, binary, workspace_root};
pub use proxy::{Fault, Proxy};
pub use redis::Redis;
pub use stack::{KEY, Stack, StackBuilder, Wires};
pub use wait::{eventually, eventually_within};
pub use wire::{Wire, WireFault};
