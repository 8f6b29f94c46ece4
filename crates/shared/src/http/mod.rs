//! The kit every service serves and calls with.

mod access;
pub mod actor;
pub mod client;
pub mod conditions;
mod guard;
pub mod health;
mod json;
mod key_ring;
mod metrics;
pub mod problem;
pub mod request_id;
pub mod roles;
mod run;
mod sealed;
pub mod server;

pub use access::{ANONYMOUS, API_KEY, Access, AccessError, Principal};
pub use json::{Body, JSON_LIMIT, JSON_LIMIT_CATALOG, OptionalBody};
pub use problem::ApiError;
pub use run::Runtime;
pub use sealed::Sealed;
