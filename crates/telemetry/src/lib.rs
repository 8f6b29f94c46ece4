#![doc = include_str!("../README.md")]

mod logs;
pub mod metrics;
mod traces;

pub use logs::{Format, LogSettings, init};
pub use traces::flush;
