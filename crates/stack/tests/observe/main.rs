//! What can be seen of what happens: events, jobs, metrics, traces.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod events;
mod given;
mod jobs;
mod metrics;
mod traces;
