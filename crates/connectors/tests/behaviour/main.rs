//! The connectors through their binary: arguments, stdin, stdout, exit codes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod delivery;
mod destination;
mod destination_input;
mod dev_null;
mod evolution;
mod files;
mod generations;
mod given;
mod hosts;
mod incremental;
mod interruption;
mod mysql;
mod postgres;
mod source;
