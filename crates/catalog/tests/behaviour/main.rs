//! Tests of the crate's public API.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod airbyte;
mod compare;
mod conversion;
mod drift;
mod given;
mod notations;
mod plan;
mod plan_renames;
mod plan_streams;
mod policy;
mod properties;
mod rename_set;
mod requests;
mod schemas;
