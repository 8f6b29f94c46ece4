//! Schedules as Airbyte takes them.

pub(crate) use shared::schedule::{Parsed, parse};
