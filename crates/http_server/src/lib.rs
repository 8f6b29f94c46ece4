#![doc = include_str!("../README.md")]

pub mod bodies;
pub mod connections;
pub mod head;
pub mod hosts;
pub mod routes;
pub mod unquoted;
