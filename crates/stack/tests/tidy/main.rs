//! The rules of this repository, as tests: who may use whom, what has to be written down, and how
//! files look. Each failure says what to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod circles;
mod compose;
mod documents;
mod example;
mod files;
mod tree;
mod words;
