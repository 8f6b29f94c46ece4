#![doc = include_str!("../README.md")]

mod domain;
mod openapi;
mod routes;
mod startup;
mod state;
mod store;

pub use startup::{Application, check_key};
pub use store::KeyError;
