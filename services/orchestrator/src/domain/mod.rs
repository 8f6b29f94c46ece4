//! Pure rules: no actix, no database, no network, no clock.

pub(crate) mod conflicts;
pub(crate) mod mark;
pub(crate) mod polling;
pub(crate) mod request;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "the ingestion routes use it")
)]
pub(crate) mod short_config;
pub(crate) mod source_types;
pub(crate) mod view;
