#![doc = include_str!("../README.md")]

mod domain;
mod flows;
mod openapi;
mod routes;
mod startup;
mod state;

pub use startup::Application;

/// Every route of the service with its access policy.
pub fn route_table() -> Vec<shared::http::routes::Declared<shared::http::policy::Policy>> {
    shared::http::server::route_table(routes::configure)
}
