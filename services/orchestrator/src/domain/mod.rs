//! Pure rules: no actix, no database, no network, no clock.

pub(crate) mod ingestion;
mod members;
pub(crate) mod ownership_tag;
pub(crate) mod polling;
pub(crate) mod request;
pub(crate) mod schedule;
pub(crate) mod short_config;
pub(crate) mod source_types;
pub(crate) mod view;
