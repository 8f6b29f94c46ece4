//! What drifted: every difference between a connection's version and what the source offers now,
//! what it means for the connection, and what it asks for.

mod change;

pub use change::{ChangeKind, Role, Severity};
