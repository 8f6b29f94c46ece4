//! The HTTP toolkit of every service, for serving and calling.

mod access;
pub mod actor;
mod admission;
pub mod bodies;
mod body;
pub mod client;
pub mod conditions;
pub mod connections;
mod docs;
mod gate;
mod guard;
pub mod head;
pub mod health;
pub mod hosts;
mod idempotency;
mod json;
mod key_ring;
mod limits;
mod metrics;
mod openapi;
pub mod outgoing;
pub mod policy;
pub mod problem;
pub mod request_id;
pub mod routes;
mod run;
mod sealed;
pub mod server;
pub mod unquoted;

pub use access::{ANONYMOUS, API_KEY, Access, AccessError, Principal};
pub use gate::Gate;
pub use json::{Body, OptionalBody};
pub use problem::ApiError;
pub use run::Runtime;
pub use sealed::Sealed;
