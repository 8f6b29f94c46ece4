//! Credentials, without I/O.

pub(crate) mod credential;
pub(crate) mod environment;
