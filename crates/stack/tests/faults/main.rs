//! Every fault of every dependency in every flow: what the caller gets, that nothing is left
//! behind, and that it recovers by itself. Each test prints its table.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod clocks;
mod disk;
mod flows;
mod matrix;
mod pooler;
mod table;
