//! Pure rules: no actix, no database, no network, no clock.

pub(crate) mod configured;
