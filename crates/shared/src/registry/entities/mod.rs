//! The tables as SeaORM entities. The registry's modules state who writes which.

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
