//! The `aam` command as a person or a script uses it: the real program, in separate folders, on
//! free ports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
mod catalogs;
mod connectors;
mod demo;
mod destinations;
mod failures;
mod given;
mod ingestion;
mod keys;
mod operations;
mod policy;
mod proxies;
mod stack;
