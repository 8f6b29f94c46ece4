//! The rules of this repository, as tests: which crates may use which, what must be documented, and
//! how files look. Each failure states what to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod circles;
mod compose;
mod documents;
mod example;
mod files;
mod tree;
mod words;
