#![doc = include_str!("../README.md")]

pub mod destinations;
pub mod diff;
pub mod drift;
mod fault;
mod fingerprint;
mod intern;
mod model;
pub mod modes;
mod node;
pub mod notation;
pub mod plan;
pub mod policy;
pub mod propagate;
pub mod renames;
pub mod request;
pub mod schema;
pub mod select;
pub mod types;
mod validate;

pub use fault::{Fault, Faults};
pub use intern::Interner;
pub use model::{Extra, Mappers, Schema, StreamConfig, StreamDef, SyncCatalog, SyncStream};
pub use notation::{PublicField, PublicStream, combined_mode, split_mode};
