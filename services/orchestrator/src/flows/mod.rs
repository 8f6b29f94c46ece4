//! Orchestrates I/O: steps, retries, rollback.

pub(crate) mod actors;
pub(crate) mod compare;
pub(crate) mod delete;
mod discover;
pub(crate) mod duty;
pub(crate) mod feed;
pub(crate) mod ingestion;
pub(crate) mod jobs;
mod marked;
pub(crate) mod onboard;
mod operations;
pub(crate) mod orphans;
mod prepare;
pub(crate) mod redis_stream;
pub(crate) mod relay;
mod requested;
pub(crate) mod scrape;
pub(crate) mod settle;
pub(crate) mod sync;
pub(crate) mod tracker;
pub(crate) mod update;
pub(crate) mod worker;

pub(crate) use shared::flow::Error;
