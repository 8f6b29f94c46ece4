//! The destination tables that connections write. Two connections that write the same table
//! overwrite each other's data: Airbyte permits it unless a flag is set, and AAM rejects the
//! second.

use std::collections::HashSet;

use catalog::SyncCatalog;
use contracts::{ErrorCode, NamespaceDefinition};

use crate::flow::Error;
use shared::airbyte::types::{Connection, ConnectionStreams};

/// How stream names become table names at the destination (Airbyte's rules for namespaces).
#[derive(Debug, Clone)]
pub struct Naming {
    /// The source of namespaces.
    pub definition: NamespaceDefinition,
    /// The namespace format, for `custom_format`.
    pub format: Option<String>,
    /// Prefix of every table's name.
    pub prefix: String,
}

/// The table of a stream: namespace and name.
pub type Target = (Option<String>, String);

impl Naming {
    /// The table that a stream is written to.
    pub fn target(&self, name: &str, namespace: Option<&str>) -> Target {
        let namespace = match self.definition {
            NamespaceDefinition::Source => namespace.map(str::to_owned),
            NamespaceDefinition::Destination => None,
            NamespaceDefinition::CustomFormat => self
                .format
                .as_deref()
                .map(|format| format.replace("${SOURCE_NAMESPACE}", namespace.unwrap_or_default()))
                .filter(|text| !text.trim().is_empty()),
        };
        (namespace, format!("{}{name}", self.prefix.trim()))
    }

    /// The tables that the selected streams of a catalog are written to.
    pub fn targets(&self, catalog: &SyncCatalog) -> HashSet<Target> {
        catalog
            .selected()
            .map(|entry| self.target(&entry.stream.name, entry.stream.namespace.as_deref()))
            .collect()
    }
}

impl Naming {
    /// How a connection names its tables.
    pub fn of(connection: &Connection) -> Self {
        Self {
            definition: match connection.namespace_definition.as_deref() {
                Some("source") => NamespaceDefinition::Source,
                Some("custom_format") => NamespaceDefinition::CustomFormat,
                _ => NamespaceDefinition::Destination,
            },
            format: connection.namespace_format.clone(),
            prefix: connection.prefix.clone().unwrap_or_default(),
        }
    }

    /// The tables that streams of a connection are written to.
    pub fn written(&self, streams: &ConnectionStreams) -> HashSet<Target> {
        let streams = streams.streams.iter();
        streams
            .map(|stream| self.target(&stream.name, stream.namespace.as_deref()))
            .collect()
    }
}

/// Rejects tables that one of `others`, connections to the same destination, already writes.
/// `name_of` returns the name under which AAM knows a connection.
///
/// # Errors
/// Returns `destination_stream_conflict` with the tables and the connections that write them.
pub fn refuse_taken<'a>(
    mine: &HashSet<Target>,
    others: impl IntoIterator<Item = &'a Connection>,
    name_of: impl Fn(&'a Connection) -> &'a str,
) -> Result<(), Error> {
    let mut conflicts: Vec<String> = Vec::new();
    for other in others {
        let written = Naming::of(other).written(&other.configurations);
        conflicts.extend(
            mine.intersection(&written)
                .map(|(_, table)| format!("`{table}` (by connection `{}`)", name_of(other))),
        );
    }
    if conflicts.is_empty() {
        return Ok(());
    }
    conflicts.sort();
    Err(conflict(&conflicts.join(", ")))
}

/// Two connections must not write one table.
pub fn conflict(which: &str) -> Error {
    Error::refused(
        ErrorCode::DestinationStreamConflict,
        format!(
            "other connections already write these destination tables: {which}; give this \
             connection a `prefix` or another destination, or leave those streams out"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_airbytes_rules() {
        let naming = |definition, format: Option<&str>, prefix: &str| Naming {
            definition,
            format: format.map(str::to_owned),
            prefix: prefix.to_owned(),
        };
        use NamespaceDefinition::{CustomFormat, Destination, Source};
        let target = |n: Naming, namespace| n.target("orders", namespace);
        assert_eq!(
            target(
                naming(CustomFormat, Some("lake_${SOURCE_NAMESPACE}"), "raw_"),
                Some("sales")
            ),
            (Some("lake_sales".into()), "raw_orders".into())
        );
        assert_eq!(
            target(naming(CustomFormat, Some("${SOURCE_NAMESPACE}"), ""), None),
            (None, "orders".into())
        );
        assert_eq!(
            target(naming(Source, None, ""), Some("s")),
            (Some("s".into()), "orders".into())
        );
        assert_eq!(
            target(naming(Destination, None, ""), Some("s")),
            (None, "orders".into())
        );
    }
}
