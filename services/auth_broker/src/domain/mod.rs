//! What a credential is, without I/O.

pub(crate) mod credential;
pub(crate) mod environment;
