//! The engine over HTTP: a real `Application` on a free port, real connectors as child processes.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod auto_disable;
mod bad_connectors;
mod community;
mod concurrency;
mod config_calls;
mod config_connections;
mod connections;
mod crashes;
mod definitions;
mod delivery;
mod docker;
mod drift;
mod failures;
mod full_disk;
mod guards;
mod harness;
mod hostile;
mod limits;
mod mappers;
mod mysql;
mod postgres;
mod propagation;
mod resources;
mod restart;
mod routes;
mod schedules;
mod sqlite;
mod sync;
mod tags;
mod updates;
mod web_backend;
