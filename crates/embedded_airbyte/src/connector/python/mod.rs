//! Connectors that are packages of the Python index, each in its own virtual environment.
//!
//! Only the packages in the table beside this file are installed, regardless of what a request
//! names. A new package is a new line.

mod install;
mod interpreter;
mod specifications;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use uuid::Uuid;

pub(crate) use install::{Installer, NotInstalled};
pub(crate) use specifications::shipped;

/// A version of Python: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Version(u8, u8);

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('.');
        let numbers =
            parts.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let (major, minor) = numbers.ok_or_else(|| format!("{text:?} is not a Python version"))?;
        Ok(Self(major, minor))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A package that holds a connector.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// The definition's name, as Airbyte's registry has it.
    pub(crate) name: String,
    /// The definition's id, as Airbyte's registry has it.
    pub(crate) definition_id: Uuid,
    /// The package's name in the index.
    pub(crate) package: String,
    /// Its one version.
    pub(crate) version: String,
    /// The first version of Python that it runs on, and the first that it does not.
    pub(crate) python: (Version, Version),
    /// Packages it depends on that have no wheel and are built here.
    #[serde(default)]
    pub(crate) built_here: Vec<String>,
}

impl Package {
    /// The connector's name: `source-faker` of `airbyte-source-faker`.
    pub(crate) fn connector(&self) -> &str {
        match self.package.strip_prefix("airbyte-") {
            Some("cdk") | None => "source-declarative-manifest",
            Some(name) => name,
        }
    }

    /// Folder of its virtual environment.
    fn folder(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }
}

/// A connector that is installed.
#[derive(Debug)]
pub(crate) struct Installed {
    /// The command that speaks the protocol.
    pub(crate) program: PathBuf,
    /// Its virtual environment.
    pub(crate) environment: PathBuf,
}

/// The packages that may be installed.
pub(crate) fn packages() -> &'static [Arc<Package>] {
    static PACKAGES: LazyLock<Vec<Arc<Package>>> = LazyLock::new(|| {
        serde_json::from_str(include_str!("packages.json")).expect("the shipped table reads")
    });
    &PACKAGES
}

/// The package that runs declarative manifests.
pub(crate) fn manifest_runner() -> Arc<Package> {
    Arc::new(Package {
        name: "Declarative manifest".to_owned(),
        definition_id: Uuid::nil(),
        package: "airbyte-cdk".to_owned(),
        version: "7.39.1".to_owned(),
        python: (Version(3, 10), Version(3, 15)),
        built_here: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_shipped_table_reads_and_names_each_connector_once() {
        let packages = packages();
        let ids: HashSet<_> = packages
            .iter()
            .map(|package| package.definition_id)
            .collect();
        let names: HashSet<_> = packages.iter().map(|package| package.connector()).collect();
        assert_eq!((ids.len(), names.len()), (packages.len(), packages.len()));
        for package in packages {
            assert!(package.connector().starts_with("source-"), "{package:?}");
            assert!(package.python.0 < package.python.1, "{package:?}");
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text: &str| Version::try_from(text.to_owned());
        assert!(version("3.9").unwrap() < version("3.10").unwrap());
        assert!(version("3").is_err());
        assert!(version("3.x").is_err());
    }
}
