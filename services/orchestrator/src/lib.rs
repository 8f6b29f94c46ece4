#![doc = include_str!("../README.md")]

mod clients;
mod domain;
mod feed;
mod flows;
mod openapi;
mod routes;
mod startup;
mod state;

pub use startup::Application;

/// Every route of the service with its access policy.
pub fn route_table() -> Vec<http_server::routes::Declared<service_kit::policy::Policy>> {
    service_kit::server::route_table(routes::configure)
}
