//! The tables as SeaORM sees them. Who writes which is said at the top of the registry's modules.

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod connection;
pub mod drift_event;
pub mod idempotency_key;
pub mod job;
pub mod lease;
pub mod operation;
pub mod operation_step;
pub mod outbox;
