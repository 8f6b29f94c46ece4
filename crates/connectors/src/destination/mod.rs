//! What destinations share: reading the input, the columns they fill themselves, and what a
//! connection's modes and generations ask for.

mod committed;
mod fields;
mod input;
mod own;
mod plan;

pub(crate) use committed::{Committed, resume, taken_over};
pub(crate) use fields::{Cells, fill};
pub(crate) use input::{Command, Gather, QUEUE, State, key, read};
pub(crate) use own::Own;
pub(crate) use plan::Plan;
