#![doc = include_str!("../README.md")]

mod answer;
mod breaker;
mod bulkhead;
mod client;
mod dependency;
mod retry;

pub use answer::{ReadError, read, retry_after};
pub use breaker::Breaker;
pub use bulkhead::CallClass;
pub use client::{
    CONNECT_TIMEOUT, DEFAULT_TIMEOUT, build, builder, for_public, is_internal, through,
};
pub use dependency::{Dependency, Pass, Rejected};
pub use retry::{Retry, patiently, repeat};
