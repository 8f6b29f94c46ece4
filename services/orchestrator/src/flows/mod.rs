//! What orders I/O: steps, retries, undo.

pub(crate) mod compare;
pub(crate) mod duty;
pub(crate) mod feed;
pub(crate) mod onboard;
mod prepare;
pub(crate) mod redis_stream;
pub(crate) mod relay;
mod settle;
pub(crate) mod sync;
mod undo;
pub(crate) mod worker;

pub(crate) use shared::flow::Error;
