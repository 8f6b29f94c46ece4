//! Pure rules: no actix, no database, no network, no clock.

pub(crate) mod conflicts;
pub(crate) mod mark;
pub(crate) mod polling;
pub(crate) mod request;
pub(crate) mod source_types;
pub(crate) mod view;
