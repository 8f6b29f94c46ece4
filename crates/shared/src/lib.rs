#![doc = include_str!("../README.md")]

pub mod airbyte;
pub mod clients;
mod container;
pub mod destination_streams;
pub mod disk;
pub mod drift_policy;
pub mod flow;
pub mod home;
pub mod http;
pub mod java_time;
pub mod metrics;
pub mod open_files;
pub mod operation;
pub mod process;
pub mod random;
pub mod redaction;
pub mod redis;
pub mod registry;
pub mod schedule;
pub mod seal;
pub mod service_token;
pub mod settings;

pub mod shown_url;
pub mod source_type;
pub mod sqlite;
pub mod telemetry;

/// Installs the TLS provider of the process. Call it first in `main`.
pub fn install_tls_provider() {
    // A second call finds the provider in place, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
