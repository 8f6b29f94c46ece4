//! Durable operations in several steps that survive a crash: the list of all steps, and the only
//! way to run one.

pub mod failpoint;
mod run;
pub mod steps;

pub use run::{StepOutput, StepRunner, on_behalf};
pub use steps::Step;
