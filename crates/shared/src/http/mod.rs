//! The HTTP toolkit of every service, for serving and calling.

mod access;
mod admission;
mod api_key_cache;
pub mod bodies;
mod body;
pub mod caller_context;
pub mod client;
pub mod conditions;
pub mod connections;
mod docs;
pub mod head;
pub mod health;
pub mod hosts;
mod idempotency;
mod json;
mod limits;
mod metrics;
mod middleware;
mod openapi;
pub mod outgoing;
pub mod policy;
pub mod problem;
pub mod request_id;
pub mod routes;
mod run;
mod secret_response;
pub mod server;
pub mod unquoted;

pub use access::{ANONYMOUS, API_KEY, Access, AccessError, Principal};
pub use json::{Body, OptionalBody};
pub use middleware::MiddlewareState;
pub use problem::ApiError;
pub use run::Runtime;
pub use secret_response::SecretResponse;
