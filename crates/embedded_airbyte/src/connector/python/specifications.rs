//! The specifications of the packages in the shipped table, as each version's `spec` prints them: so that
//! making a source or asking for a specification installs nothing.

use airbyte_protocol::ConnectorSpecification;

use super::Package;

/// By package, each for the version in the shipped table.
const SHIPPED: &[(&str, &str)] = &[
    (
        "airbyte-source-faker",
        include_str!("specifications/airbyte-source-faker.json"),
    ),
    (
        "airbyte-source-file",
        include_str!("specifications/airbyte-source-file.json"),
    ),
    (
        "airbyte-source-hardcoded-records",
        include_str!("specifications/airbyte-source-hardcoded-records.json"),
    ),
    (
        "airbyte-source-salesforce",
        include_str!("specifications/airbyte-source-salesforce.json"),
    ),
    (
        "airbyte-source-hubspot",
        include_str!("specifications/airbyte-source-hubspot.json"),
    ),
    (
        "airbyte-source-stripe",
        include_str!("specifications/airbyte-source-stripe.json"),
    ),
    (
        "airbyte-source-github",
        include_str!("specifications/airbyte-source-github.json"),
    ),
];

/// A shipped file.
#[derive(serde::Deserialize)]
struct Shipped {
    version: String,
    specification: ConnectorSpecification,
}

/// The specification of a package, if it is shipped for this version.
pub(crate) fn shipped(package: &Package) -> Option<ConnectorSpecification> {
    let (_, text) = SHIPPED.iter().find(|(name, _)| *name == package.package)?;
    let shipped: Shipped = serde_json::from_str(text).expect("a shipped specification reads");
    (shipped.version == package.version).then_some(shipped.specification)
}

#[cfg(test)]
mod tests {
    use super::super::packages;
    use super::*;

    #[test]
    fn every_shipped_package_has_its_specification() {
        for package in packages() {
            let specification = shipped(package);
            let specification = specification
                .unwrap_or_else(|| panic!("{} {} has none", package.package, package.version));
            let schema = specification.connection_specification.get();
            let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
            assert!(schema["properties"].is_object(), "{}", package.package);
        }
    }
}
