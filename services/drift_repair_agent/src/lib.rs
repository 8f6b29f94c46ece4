#![doc = include_str!("../README.md")]

mod domain;
mod flows;
mod openapi;
mod routes;
mod startup;
mod state;

pub use startup::Application;
