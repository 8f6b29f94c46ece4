//! Renames with evidence instead of guesses: why something removed and something added may be the
//! same.

mod assign;
mod evidence;
mod fields;
mod likeness;
mod names;
mod place;
pub(crate) mod sketch;
mod vocabulary;

pub use evidence::{Evidence, Fact, Grade};
pub use sketch::{ColumnSketch, Sketch, Sketches};

pub(crate) use assign::one_to_one;
pub(crate) use fields::{Question, Values, fields};
pub(crate) use likeness::{Columns, streams};
