//! One module per subcommand.

pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod configuration;
pub(crate) mod connections;
pub(crate) mod connectors;
pub(crate) mod credentials;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod gc;
pub(crate) mod heal;
pub(crate) mod ingestion;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod onboard;
pub(crate) mod operations;
pub(crate) mod policy;
pub(crate) mod probe;
pub(crate) mod rollback;
pub(crate) mod schedule;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod up;
pub(crate) mod update;
