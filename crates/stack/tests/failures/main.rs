//! What must not go wrong when things go wrong: bad input, processes killed in the middle.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod bad_input;
mod crashes;
mod dead_connections;
mod dependencies;
mod leaky;
