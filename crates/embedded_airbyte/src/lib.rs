#![doc = include_str!("../README.md")]

mod actors;
mod api;
mod application;
mod by_hand;
mod clock;
mod connections;
mod connector;
mod custom_definitions;
mod definitions;
mod discovery;
mod engine;
mod error;
pub mod exec;
mod fault;
mod hostility;
mod job_views;
mod jobs;
mod mappers;
mod naming;
mod notation;
mod options;
mod people;
mod replication;
mod schedule;
mod scheduler;
mod schema_changes;
mod secrets;
mod selection;
mod specs;
mod state_epochs;
mod states;
mod store;
mod tags;
mod time;
mod tokens;
mod workspaces;

pub use api::policy::{Access, Policy};
pub use application::Application;
pub use by_hand::{ConnectorInfo, Connectors, Failed, Made, Records};
pub use clock::Clock;
pub use definitions::{
    DESTINATION_DEV_NULL, DESTINATION_PARQUET, DESTINATION_POSTGRES, DESTINATION_S3,
    DESTINATION_SQLITE, SOURCE_LOCAL_FILES, SOURCE_POSTGRES, SOURCE_SQLITE,
};
pub use error::Error;
pub use options::{
    ConnectorAccess, ConnectorKind, LocalConnector, Options, RetryPolicy, Timing, own_files,
};

/// Makes a directory that only its owner may enter, parents included.
fn private_directory(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Every route, and what it asks of its caller.
pub fn route_table() -> Vec<http_server::routes::Declared<Policy>> {
    let mut routes = http_server::routes::Routes::default();
    api::configure(&mut routes);
    routes.table()
}
