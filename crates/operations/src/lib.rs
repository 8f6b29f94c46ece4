#![doc = include_str!("../README.md")]

mod claims;
pub mod destination_streams;
pub mod failpoint;
pub mod flow;
mod operation;
mod run;
pub mod steps;

pub use claims::{Resume, begin_when_free, resume_all, wait_for_open};
pub use operation::{OnError, Operation, execute, resume, roll_back};
pub use run::{StepOutput, StepRunner, on_behalf};
pub use steps::Step;

#[cfg(test)]
mod tests;
