#![doc = include_str!("../README.md")]

mod access;
mod admission;
mod api_key_cache;
mod body;
pub mod conditions;
mod docs;
pub mod health;
mod idempotency;
mod json;
mod limits;
pub mod metrics;
mod middleware;
mod middleware_state;
mod openapi;
pub mod policy;
pub mod problem;
pub mod process;
pub mod redis;
mod request_metrics;
mod run;
mod secret_response;
pub mod server;
pub mod service_client;
pub mod service_token;

pub use access::{ANONYMOUS, API_KEY, Access, AccessError, Principal};
pub use json::{Body, OptionalBody};
pub use middleware_state::MiddlewareState;
pub use problem::ApiError;
pub use run::Runtime;
pub use secret_response::SecretResponse;
