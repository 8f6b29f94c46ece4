//! The kit every service serves and calls with.

mod access;
pub mod actor;
mod body;
pub mod client;
pub mod conditions;
mod gate;
mod guard;
pub mod health;
mod idempotency;
mod json;
mod key_ring;
mod limits;
mod metrics;
mod openapi;
pub mod outgoing;
pub mod problem;
pub mod request_id;
pub mod roles;
mod run;
mod sealed;
pub mod server;

pub use access::{ANONYMOUS, API_KEY, Access, AccessError, Principal};
pub use body::{JSON_LIMIT, JSON_LIMIT_CATALOG};
pub use gate::Gate;
pub use json::{Body, OptionalBody};
pub use problem::ApiError;
pub use run::Runtime;
pub use sealed::Sealed;
