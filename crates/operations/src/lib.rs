#![doc = include_str!("../README.md")]

pub mod destination_streams;
pub mod failpoint;
pub mod flow;
mod run;
pub mod steps;

pub use run::{StepOutput, StepRunner, on_behalf};
pub use steps::Step;
