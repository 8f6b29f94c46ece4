//! The engine over HTTP: a real `Application` on a free port, real connectors as child processes.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod concurrency;
mod connections;
mod failures;
mod guards;
mod harness;
mod resources;
mod restart;
mod sqlite;
mod sync;
mod updates;
