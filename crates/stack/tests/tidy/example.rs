//! `.env.example` and `docker-compose.yml` agree with the settings that are read.

use std::collections::BTreeSet;

use settings::{Settings, Source, variables};
use test_support::workspace_root;

/// Variables of `docker-compose.yml` that no program reads.
const COMPOSE_ALONE: &[&str] = &[
    "BUILD_IMAGE",
    "RUNTIME_IMAGE",
    "POSTGRES_IMAGE",
    "REDIS_IMAGE",
    "BUILD_PROFILE",
    "AAM_IMAGE",
    "BUILD_TARGET",
    "NO_PROXY",
    "SERVICE_MEMORY",
    "EMBEDDED_AIRBYTE_MEMORY",
    "POSTGRES_MEMORY",
    "REDIS_MEMORY",
];

fn file(name: &str) -> String {
    std::fs::read_to_string(workspace_root().join(name)).unwrap()
}

/// `NAME=value` lines, and whether each is a comment.
fn assignments(text: &str) -> Vec<(bool, String, String)> {
    text.lines()
        .filter_map(|line| {
            let commented = line.starts_with("# ");
            let (name, value) = line.trim_start_matches("# ").split_once('=')?;
            let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            is_name.then(|| (commented, name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn settings(lines: &[(bool, String, String)], only_active: bool) -> Settings {
    let home = tempfile::tempdir().unwrap();
    let values = lines
        .iter()
        .filter(|(commented, ..)| !(only_active && *commented))
        .map(|(_, name, value)| (name.clone(), value.clone()))
        .chain([(
            "AAM_HOME".to_owned(),
            home.path().join("home").to_string_lossy().into_owned(),
        )]);
    Settings::from_source(&Source::of(values, home.path().to_owned())).unwrap()
}

#[test]
fn the_example_names_every_variable_once_and_no_other() {
    let lines = assignments(&file(".env.example"));
    let named: BTreeSet<&str> = lines.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(named.len(), lines.len(), "a variable is named twice");
    let known: BTreeSet<&str> = variables::ALL
        .iter()
        .map(|(name, ..)| *name)
        .chain(COMPOSE_ALONE.iter().copied())
        .collect();
    assert_eq!(named, known);
}

#[test]
fn an_unedited_copy_of_the_example_changes_nothing() {
    let lines = assignments(&file(".env.example"));
    let copied = settings(&lines, true);
    let bare = settings(&[], true);
    assert!(copied.airbyte.embedded && copied.airbyte.client_id.is_none());
    assert!(copied.salesforce.client_id.is_none() && copied.api_key.is_none());
    assert_eq!(
        format!("{:?}", copied.ports),
        format!("{:?}", bare.ports),
        "ports"
    );
    assert_eq!(
        format!("{:?}", copied.service_urls),
        format!("{:?}", bare.service_urls)
    );
    assert_eq!(copied.log.filter, bare.log.filter);
    assert_eq!(copied.bind_address, bare.bind_address);
}

#[test]
fn what_the_example_shows_as_values_can_be_used() {
    let mut lines = assignments(&file(".env.example"));
    // The id is of use with the secret alone, and no secret stands in the example.
    for (_, name, value) in &mut lines {
        if name == "AIRBYTE_CLIENT_SECRET" {
            "s3cret".clone_into(value);
        }
    }
    let shown = settings(&lines, false);
    assert!(!shown.airbyte.embedded);
    assert!(shown.redis_url.is_some());
    assert_eq!(shown.data_roots.len(), 2);
}

#[test]
fn compose_reads_only_variables_that_the_example_names() {
    let text = file("docker-compose.yml");
    let lines = assignments(&file(".env.example"));
    let named: BTreeSet<&str> = lines.iter().map(|(_, name, _)| name.as_str()).collect();
    let mut read = BTreeSet::new();
    for (_, rest) in text
        .match_indices("${")
        .map(|(at, _)| text.split_at(at + 2))
    {
        let end = rest
            .find(|c: char| !(c.is_ascii_uppercase() || c == '_'))
            .unwrap();
        let name = &rest[..end];
        read.insert(name.strip_suffix("_FILE").unwrap_or(name));
    }
    assert!(read.contains("AIRBYTE_API_URL"), "{read:?}");
    let unknown: Vec<_> = read.difference(&named).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
