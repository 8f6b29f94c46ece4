#![doc = include_str!("../README.md")]

pub mod caller;
pub mod deadline;
mod error_chain;
pub mod request_id;
pub mod trace;

pub use error_chain::error_chain;
