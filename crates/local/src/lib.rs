#![doc = include_str!("../README.md")]

pub mod container;
pub mod disk;
pub mod home;
pub mod open_files;
pub mod random;
pub mod seal;
pub mod sqlite;

/// Installs the process's TLS provider. Call it first in `main`; further calls have no effect.
pub fn install_tls_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
