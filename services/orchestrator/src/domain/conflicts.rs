//! Two connections that would write one table of a destination overwrite one another, so the
//! second is refused.

use std::collections::HashSet;

use catalog::SyncCatalog;
use contracts::NamespaceDefinition;

/// How stream names become table names at the destination (Airbyte's rules for namespaces).
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) definition: NamespaceDefinition,
    pub(crate) format: Option<String>,
    pub(crate) prefix: String,
}

/// Where a stream is written: namespace and name.
pub(crate) type Target = (Option<String>, String);

impl Naming {
    /// Where a stream is written.
    pub(crate) fn target(&self, name: &str, namespace: Option<&str>) -> Target {
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

    /// Where the selected streams of a catalog are written.
    pub(crate) fn targets(&self, catalog: &SyncCatalog) -> HashSet<Target> {
        catalog
            .selected()
            .map(|entry| self.target(&entry.stream.name, entry.stream.namespace.as_deref()))
            .collect()
    }
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
