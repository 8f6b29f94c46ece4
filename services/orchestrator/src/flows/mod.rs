//! Orchestrates I/O: steps, retries, rollback.

pub(crate) mod actors;
pub(crate) mod compare;
pub(crate) mod delete;
mod discover;
mod follow_up_sync;
pub(crate) mod ingestion;
pub(crate) mod jobs;
pub(crate) mod late_creates;
pub(crate) mod leader;
pub(crate) mod onboard;
mod operations;
pub(crate) mod orphans;
mod owned_objects;
mod prepare;
pub(crate) mod redis_stream;
pub(crate) mod relay;
pub(crate) mod scrape;
pub(crate) mod sync;
pub(crate) mod tracker;
pub(crate) mod update;
pub(crate) mod worker;

pub(crate) use ::operations::flow::Error;
