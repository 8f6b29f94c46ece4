//! What both PostgreSQL connectors share: their configuration, connecting, failures, quoting.

mod config;
mod connect;
mod failure;
mod spec;

pub(crate) use config::Config;
pub(crate) use connect::connect;
pub(crate) use failure::of_database;
pub(crate) use spec::{connection_properties, ssl_mode};

/// The table of the destination that is about its connections, not about data.
pub(crate) const OWN_TABLE: &str = "_airbyte_delivery";

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal; sessions have `standard_conforming_strings` on.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name within its schema.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}
