//! What destinations share: reading the input, the columns they fill themselves, and what a
//! connection's modes and generations ask for.

mod fields;
mod input;
mod own;
mod plan;

pub(crate) use fields::{Cells, fill};
pub(crate) use input::{Command, Gather, QUEUE, read};
pub(crate) use own::Own;
pub(crate) use plan::Plan;
