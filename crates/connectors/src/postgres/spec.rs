//! The properties that both connectors' specifications have.

use serde_json::Value;

use crate::server;
use crate::server::{plain, verifying};

/// Host, port, database, user, password.
pub(crate) fn connection_properties() -> serde_json::Map<String, Value> {
    server::connection_properties(5432, "connectTimeout (seconds) and ApplicationName")
}

/// How the connection is encrypted.
pub(crate) fn ssl_mode(order: u8) -> Value {
    let modes = [
        plain("disable", "Never encrypted."),
        plain("allow", "Encrypted only if the server insists."),
        plain("prefer", "Encrypted if the server can. The default."),
        plain(
            "require",
            "Always encrypted; the server's certificate is not verified.",
        ),
        verifying(
            "verify-ca",
            "Always encrypted; the certificate has to be trusted.",
        ),
        verifying(
            "verify-full",
            "Always encrypted; the certificate has to be trusted and to name the host.",
        ),
    ];
    server::ssl_mode(order, &modes)
}
