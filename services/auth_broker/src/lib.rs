#![doc = include_str!("../README.md")]

mod domain;
mod openapi;
mod routes;
mod startup;
mod state;
mod store;

pub use startup::{Application, check_key};
pub use store::KeyError;

/// Every route of the service with its access policy.
pub fn route_table() -> Vec<http_server::routes::Declared<service_kit::policy::Policy>> {
    service_kit::server::route_table(routes::configure)
}
