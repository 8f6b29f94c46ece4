//! Work in several steps that survives the process doing it: the one list of steps, and the one way
//! a step is made.

pub mod failpoint;
mod run;
pub mod steps;

pub use run::{Acted, Run, on_behalf};
pub use steps::Step;
