//! Modules of a crate form layers: no two of them import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use crate::tree::{files, none, packages, text};

/// Modules that import each other, with the reason.
const CIRCLES: &[(&str, &str, &str, &str)] = &[
    // A catalog's model contains schemas, and a schema is read under the model's rules of names.
    (
        "crates/catalog",
        "model",
        "schema",
        "one data type in two files",
    ),
    (
        "crates/catalog",
        "select",
        "validate",
        "selection is validated, and faults quote its words",
    ),
    (
        "crates/catalog",
        "drift",
        "fingerprint",
        "a change is identified by the fingerprint of its parts",
    ),
    (
        "crates/catalog",
        "drift",
        "renames",
        "renames are found among the changes and are changes",
    ),
    // `Engine` is extended by the modules of what it does; it is
    // divided when connectors move to a runtime without the API.
    (
        "crates/embedded_airbyte",
        "connections",
        "jobs",
        "a connection's end cancels its jobs",
    ),
    (
        "crates/embedded_airbyte",
        "connector",
        "definitions",
        "a definition names how its connector runs",
    ),
    (
        "crates/embedded_airbyte",
        "connector",
        "exec",
        "a connector's process starts as this program",
    ),
    (
        "crates/embedded_airbyte",
        "engine",
        "jobs",
        "the engine owns the running jobs",
    ),
    (
        "crates/embedded_airbyte",
        "engine",
        "scheduler",
        "the engine wakes the scheduler",
    ),
    (
        "crates/embedded_airbyte",
        "engine",
        "specs",
        "the engine caches specifications",
    ),
    (
        "crates/embedded_airbyte",
        "jobs",
        "replication",
        "a replication reports to its job",
    ),
    (
        "crates/embedded_airbyte",
        "jobs",
        "schema_changes",
        "a sync starts with a look at the schema",
    ),
];

/// The modules at the top of a crate, each with those that it imports.
fn imports(package: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let path = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let group = Regex::new(r"use crate::\{([^;]*)\};").unwrap();
    let sibling = Regex::new(r"\bsuper::([a-z_]+)").unwrap();
    let member = Regex::new(r"(?:^|[{,\s])([a-z_]+)(?:::|,|\s|$)").unwrap();
    let sources = package.join("src");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files(".rs") {
        let Ok(inside) = file.strip_prefix(&sources) else {
            continue;
        };
        let parts: Vec<_> = inside
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let is_test = parts.iter().any(|part| part == "tests" || part == "bin");
        if is_test || matches!(parts[0].as_str(), "lib" | "main") {
            continue;
        }
        let whole = text(&file);
        let code = whole.split("#[cfg(test)]").next().unwrap_or_default();
        let used = found.entry(parts[0].clone()).or_default();
        used.extend(path.captures_iter(code).map(|found| found[1].to_owned()));
        for names in group.captures_iter(code) {
            used.extend(
                member
                    .captures_iter(&names[1])
                    .map(|found| found[1].to_owned()),
            );
        }
        let is_at_the_top = parts.len() == 1 || parts.len() == 2 && parts[1] == "mod";
        if is_at_the_top {
            used.extend(sibling.captures_iter(code).map(|found| found[1].to_owned()));
        }
    }
    found
}

#[test]
fn no_two_modules_import_each_other() {
    let mut faults = Vec::new();
    let mut known: BTreeSet<_> = CIRCLES
        .iter()
        .map(|(package, one, other, _)| [*package, *one, *other].map(str::to_owned))
        .collect();
    for package in packages() {
        let name = package.to_string_lossy().into_owned();
        let imports = imports(&package);
        for (one, used) in &imports {
            for other in used.iter().filter(|other| one < *other) {
                let is_circle = imports.get(other).is_some_and(|back| back.contains(one));
                let circle = [name.clone(), one.clone(), other.clone()];
                if is_circle && !known.remove(&circle) {
                    faults.push(format!("{name}: {one} and {other}"));
                }
            }
        }
    }
    faults.extend(
        known
            .iter()
            .map(|[package, one, other]| format!("{package}: {one} and {other} no longer do")),
    );
    none(
        &faults,
        "modules that import each other; move what both use below them, or list them with the reason",
    );
}
