//! What code promises is written down: error codes, variables, tables, migrations, decisions.

use std::collections::BTreeSet;
use std::path::Path;

use contracts::{ErrorCode, Event};
use settings::variables;

use crate::tree::{files, none, packages, text};

/// The lines of a Markdown file that are headings of this level.
fn headings(path: &str, marks: &str) -> BTreeSet<String> {
    text(path)
        .lines()
        .filter_map(|line| line.strip_prefix(marks)?.strip_prefix(' '))
        .map(|heading| heading.trim().to_owned())
        .collect()
}

#[test]
fn every_error_code_is_documented() {
    let page = text("docs/errors.md");
    let documented = headings("docs/errors.md", "##");
    let mut faults = Vec::new();
    for code in ErrorCode::ALL {
        let name = code.as_str();
        if !documented.contains(name) {
            faults.push(format!("`## {name}` is missing"));
            continue;
        }
        let status = format!("## {name}\n\nStatus {}", code.status());
        if !page.contains(&status) {
            faults.push(format!("{name} must begin with `Status {}`", code.status()));
        }
    }
    for heading in &documented {
        if ErrorCode::parse(heading).is_none() {
            faults.push(format!("`{heading}` is no code of contracts::ErrorCode"));
        }
    }
    none(&faults, "bring docs/errors.md up to contracts::ErrorCode");
}

#[test]
fn every_event_is_explained() {
    let page = text("docs/events.md");
    let faults: Vec<String> = Event::NAMES
        .iter()
        .filter(|name| !page.contains(&format!("\n| `{name}` | ")))
        .map(|name| format!("`{name}` has no row"))
        .collect();
    none(&faults, "bring docs/events.md up to contracts::Event");
}

#[test]
fn every_table_and_column_is_explained() {
    let page = text("docs/registry.md");
    let sections = headings("docs/registry.md", "##");
    let mut faults = Vec::new();
    let mut columns = 0;
    for migration in migrations() {
        let source = text(Path::new("migrations/src").join(format!("{migration}.rs")));
        // The `down` half drops what `up` made.
        let up = source.split("async fn down").next().unwrap();
        for created in up.split("Table::create()").skip(1) {
            let table = quoted_after(created, ".table(").expect("a created table has a name");
            let Some(section) = section(&page, &table).filter(|_| sections.contains(&table)) else {
                faults.push(format!("`## {table}` is missing"));
                continue;
            };
            let body = created.split(".await").next().unwrap();
            for column in body.split(".col(").skip(1) {
                let Some(column) = quoted_after(column, "(") else {
                    continue;
                };
                columns += 1;
                if !section.contains(&format!("`{column}`")) {
                    faults.push(format!("{table}.{column} is missing"));
                }
            }
        }
    }
    assert!(columns > 0, "no column was found in migrations/src");
    none(&faults, "explain them in docs/registry.md");
}

/// What stands under a heading, up to the next one.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let begin = page.find(&format!("\n## {heading}\n"))? + 1;
    let rest = &page[begin..];
    Some(rest.find("\n## ").map_or(rest, |end| &rest[..end]))
}

/// The first string literal right after `mark`.
fn quoted_after(source: &str, mark: &str) -> Option<String> {
    let rest = source[source.find(mark)? + mark.len()..].trim_start();
    let literal = rest.strip_prefix('"')?;
    Some(literal[..literal.find('"')?].to_owned())
}

/// The names of the files that hold migrations.
fn migrations() -> Vec<String> {
    files(".rs")
        .iter()
        .filter(|path| path.parent() == Some(Path::new("migrations/src")))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "lib")
        .collect()
}

#[test]
fn every_migration_is_listed_in_the_order_of_its_name() {
    let list = text("migrations/src/lib.rs");
    let migrations = migrations();
    assert!(!migrations.is_empty(), "no migration was found");
    let mut faults = Vec::new();
    let mut last = 0;
    for migration in &migrations {
        if !list.contains(&format!("mod {migration};")) {
            faults.push(format!("`mod {migration};` is missing"));
        }
        match list.find(&format!("{migration}::Migration")) {
            None => faults.push(format!("{migration} is not among the migrations")),
            Some(at) if at < last => faults.push(format!("{migration} is listed too early")),
            Some(at) => last = at,
        }
    }
    none(
        &faults,
        "bring migrations/src/lib.rs up to the files beside it",
    );
}

#[test]
fn every_variable_is_in_the_example_and_explained_there() {
    let example = text(".env.example");
    let lines: Vec<&str> = example.lines().collect();
    let mut faults = Vec::new();
    for (name, ..) in variables::ALL {
        let set = format!("{name}=");
        let at = lines.iter().position(|line| {
            let line = line.trim_start_matches('#').trim_start();
            line.starts_with(&set)
        });
        match at {
            None => faults.push(format!("{name} is missing")),
            Some(0) => faults.push(format!("{name} has no comment above it")),
            Some(at) => {
                // Variables that one comment explains together stand without a gap.
                let explained = lines[..at]
                    .iter()
                    .rev()
                    .take_while(|line| !line.trim().is_empty())
                    .any(|line| line.starts_with("# ") && !line.contains('='));
                if !explained {
                    faults.push(format!("{name} has no comment above it"));
                }
            }
        }
    }
    none(&faults, "bring .env.example up to settings::variables");
}

#[test]
fn every_package_has_a_readme_that_is_its_documentation() {
    let mut faults = Vec::new();
    for package in packages() {
        let readme = package.join("README.md");
        let root = ["src/lib.rs", "src/main.rs"]
            .iter()
            .map(|file| package.join(file))
            .find(|file| crate::tree::workspace_root().join(file).is_file());
        if !crate::tree::workspace_root().join(&readme).is_file() {
            faults.push(format!("{} is missing", readme.display()));
        }
        match root {
            None => faults.push(format!("{} has no src/lib.rs", package.display())),
            Some(root) if !text(&root).starts_with("#![doc = include_str!(\"../README.md\")]") => {
                faults.push(format!("{} does not include its README", root.display()));
            }
            Some(_) => {}
        }
    }
    none(
        &faults,
        "a crate's README is its documentation: begin its root with \
         #![doc = include_str!(\"../README.md\")]",
    );
}

#[test]
fn every_decision_has_a_unique_number_and_a_status() {
    let mut faults = Vec::new();
    let mut numbers = BTreeSet::new();
    for path in files(".md")
        .iter()
        .filter(|path| path.parent() == Some(Path::new("docs/adr")))
    {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let number = name.split('-').next().unwrap().to_owned();
        if number.len() != 3 || !numbers.insert(number.clone()) {
            faults.push(format!("{name}: the number is not three digits of its own"));
        }
        let record = text(path);
        let parts = [
            "\nStatus: ",
            "\n## Context\n",
            "\n## Decision\n",
            "\n## Consequences\n",
        ];
        for part in parts.iter().chain(&["\n## Rejected\n"]) {
            if !record.contains(part) {
                faults.push(format!("{name} has no `{}`", part.trim()));
            }
        }
    }
    assert!(numbers.len() > 1, "no decision was found in docs/adr");
    none(&faults, "write decisions like docs/adr/000-template.md");
}
