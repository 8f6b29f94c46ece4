#![doc = include_str!("../README.md")]

pub mod destinations;
pub mod diff;
pub mod drift;
mod fault;
mod fingerprint;
mod model;
pub mod modes;
mod node;
pub mod plan;
pub mod policy;
pub mod propagate;
mod read;
pub mod renames;
pub mod request;
pub mod schema;
pub mod select;
pub mod types;
mod validate;
mod write;

pub use fault::{Fault, Faults};
pub use model::{Extra, Mappers, Schema, StreamConfig, StreamDef, SyncCatalog, SyncStream};
pub use write::{PublicField, PublicStream, combined_mode, split_mode};
