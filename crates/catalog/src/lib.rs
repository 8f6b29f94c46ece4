#![doc = include_str!("../README.md")]

pub mod diff;
mod fault;
mod fingerprint;
mod intern;
mod model;
pub mod modes;
mod node;
pub mod notation;
pub mod plan;
pub mod propagate;
pub mod request;
pub mod schema;
pub mod select;
mod validate;

pub use fault::{Fault, Faults};
pub use intern::Interner;
pub use model::{Extra, Mappers, Schema, StreamConfig, StreamDef, SyncCatalog, SyncStream};
pub use notation::{PublicField, PublicStream, combined_mode, split_mode};
