#![doc = include_str!("../README.md")]

pub mod airbyte;
pub mod registry;
