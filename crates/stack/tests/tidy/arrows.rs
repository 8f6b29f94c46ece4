//! Who may use whom. Arrows never turn back, and a service never uses another service's crate.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tree::{files, none, text, workspace_root};

/// What each package may use. A package that is not here has not been thought about.
const ALLOWED: &[(&str, &[&str])] = &[
    ("airbyte_protocol", &[]),
    ("catalog", &["airbyte_protocol"]),
    ("contracts", &["airbyte_protocol", "catalog"]),
    ("migrations", &[]),
    ("local", &[]),
    ("redaction", &[]),
    ("schedule", &[]),
    ("http_server", &[]),
    ("context", &["contracts"]),
    ("http_client", &["context", "contracts"]),
    ("telemetry", &["context", "http_client"]),
    (
        "settings",
        &[
            "catalog",
            "context",
            "contracts",
            "http_client",
            "local",
            "redaction",
            "telemetry",
        ],
    ),
    (
        "shared",
        &[
            "airbyte_protocol",
            "catalog",
            "context",
            "contracts",
            "http_client",
            "local",
            "migrations",
            "redaction",
            "settings",
        ],
    ),
    (
        "service_kit",
        &[
            "context",
            "contracts",
            "http_client",
            "http_server",
            "local",
            "redaction",
            "settings",
            "shared",
            "telemetry",
        ],
    ),
    (
        "operations",
        &[
            "airbyte_protocol",
            "catalog",
            "context",
            "contracts",
            "service_kit",
            "shared",
        ],
    ),
    ("connectors", &["airbyte_protocol"]),
    (
        "embedded_airbyte",
        &[
            "airbyte_protocol",
            "catalog",
            "connectors",
            "context",
            "http_server",
            "local",
            "redaction",
            "schedule",
            "settings",
            "telemetry",
        ],
    ),
    ("orchestrator", SERVICE),
    ("auth_broker", SERVICE),
    ("drift_repair_agent", SERVICE),
    ("stack", STACK),
    ("aam", AAM),
    ("test_support", AAM),
    ("benches", AAM),
];

const SERVICE: &[&str] = &[
    "airbyte_protocol",
    "catalog",
    "context",
    "contracts",
    "http_client",
    "http_server",
    "local",
    "operations",
    "redaction",
    "schedule",
    "service_kit",
    "settings",
    "shared",
];
const STACK: &[&str] = &[
    "airbyte_protocol",
    "catalog",
    "context",
    "contracts",
    "http_client",
    "http_server",
    "local",
    "migrations",
    "operations",
    "redaction",
    "schedule",
    "service_kit",
    "settings",
    "shared",
    "telemetry",
    "connectors",
    "embedded_airbyte",
    "orchestrator",
    "auth_broker",
    "drift_repair_agent",
];
const AAM: &[&str] = &[
    "airbyte_protocol",
    "catalog",
    "context",
    "contracts",
    "http_client",
    "http_server",
    "local",
    "migrations",
    "operations",
    "redaction",
    "schedule",
    "service_kit",
    "settings",
    "shared",
    "telemetry",
    "connectors",
    "embedded_airbyte",
    "orchestrator",
    "auth_broker",
    "drift_repair_agent",
    "stack",
];

/// Which services each service calls.
const CALLS: &[(&str, &[&str])] = &[
    ("auth_broker", &[]),
    ("drift_repair_agent", &[]),
    ("orchestrator", &["auth_broker", "drift_repair_agent"]),
];

struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    is_for_tests: bool,
}

/// The packages of the workspace, each with those it uses.
fn workspace() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    packages
        .iter()
        .map(|package| Package {
            name: package["name"].as_str().unwrap().to_owned(),
            dependencies: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| names.contains(dependency["name"].as_str().unwrap()))
                .map(|dependency| Dependency {
                    name: dependency["name"].as_str().unwrap().to_owned(),
                    is_for_tests: dependency["kind"] == "dev",
                })
                .collect(),
        })
        .collect()
}

#[test]
fn packages_use_only_what_the_layers_allow() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut faults = Vec::new();
    for package in workspace() {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            faults.push(format!("{} has no place among the layers", package.name));
            continue;
        };
        for used in package
            .dependencies
            .iter()
            .filter(|used| !used.is_for_tests)
        {
            if !allowed.contains(&used.name.as_str()) {
                faults.push(format!("{} uses {}", package.name, used.name));
            }
        }
    }
    none(
        &faults,
        "an arrow between crates that CONTRIBUTING.md does not draw; move the code to the layer \
         both may use, or record the new arrow in docs/adr and here",
    );
}

#[test]
fn tests_use_no_crate_that_uses_what_they_test() {
    // A crate's tests may use test_support and its own layers. Cargo allows circles here; they
    // compile the crate under test twice and make its types differ from themselves.
    let packages = workspace();
    let uses = |name: &str| -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            let package = packages
                .iter()
                .find(|package| package.name == next)
                .unwrap();
            for used in package
                .dependencies
                .iter()
                .filter(|used| !used.is_for_tests)
            {
                if all.insert(used.name.clone()) {
                    open.push(used.name.clone());
                }
            }
        }
        all
    };
    let mut faults = Vec::new();
    for package in &packages {
        for used in package.dependencies.iter().filter(|used| used.is_for_tests) {
            if used.name != "test_support" && uses(&used.name).contains(&package.name) {
                faults.push(format!("the tests of {} use {}", package.name, used.name));
            }
        }
    }
    none(
        &faults,
        "tests that use a layer above their crate; move them to the crate of that layer",
    );
}

#[test]
fn what_tests_share_is_used_by_tests_alone() {
    let faults: Vec<String> = workspace()
        .iter()
        .filter(|package| {
            package
                .dependencies
                .iter()
                .any(|used| used.name == "test_support" && !used.is_for_tests)
        })
        .map(|package| package.name.clone())
        .collect();
    none(
        &faults,
        "test_support is for [dev-dependencies]; move it there in these packages",
    );
}

#[test]
fn services_call_only_the_services_listed_here() {
    let mut faults = Vec::new();
    for (service, expected) in CALLS {
        let sources = format!("services/{service}/src");
        let mut called = BTreeSet::new();
        for file in files(".rs")
            .iter()
            .filter(|file| file.starts_with(&sources))
        {
            for call in text(file).split("ServiceClient::new(").skip(1) {
                called.extend(call.split('"').nth(1).map(str::to_owned));
            }
        }
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        if called != expected {
            faults.push(format!("{service} calls {called:?}, expected {expected:?}"));
        }
    }
    none(
        &faults,
        "calls between services must form no cycle; record a new call in docs/adr and here",
    );
}
