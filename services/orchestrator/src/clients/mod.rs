//! Clients for the services that the orchestrator calls.

pub(crate) mod auth_broker;
pub(crate) mod drift_repair;
