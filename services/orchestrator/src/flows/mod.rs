//! What orders I/O: steps, retries, undo.

pub(crate) mod compare;
pub(crate) mod onboard;
mod prepare;
mod settle;
pub(crate) mod sync;
mod undo;
pub(crate) mod worker;

pub(crate) use shared::flow::Error;
