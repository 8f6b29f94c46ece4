#![doc = include_str!("../README.md")]

pub mod airbyte;
pub mod clients;
pub mod destination_streams;
pub mod drift_policy;
pub mod flow;
pub mod http;
pub mod metrics;
pub mod operation;
pub mod process;
pub mod redis;
pub mod registry;
pub mod service_token;
pub mod settings;

pub mod source_type;
pub mod telemetry;
