#![doc = include_str!("../README.md")]

mod quartz;
pub mod unix;

pub use quartz::{Quartz, QuartzError};
