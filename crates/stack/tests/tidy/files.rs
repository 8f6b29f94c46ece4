//! How files look: sizes, openings, lints, and scripts that parse.

use std::process::Command;

use crate::tree::{files, none, packages, text, workspace_root};

/// Beyond this a file holds more than one idea.
const LINES_MAX: usize = 500;

#[test]
fn source_files_are_short_and_open_with_what_they_are_for() {
    let mut faults = Vec::new();
    for path in files(".rs") {
        let source = text(&path);
        let lines = source.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{} has {lines} lines: split it", path.display()));
        }
        let opening = source.lines().next().unwrap_or_default();
        if !opening.starts_with("//! ") && !opening.starts_with("#![doc = include_str!") {
            faults.push(format!("{} does not open with `//!`", path.display()));
        }
    }
    none(
        &faults,
        "a source file holds one idea, says which in its `//!`, and stays under 500 lines",
    );
}

#[test]
fn no_test_is_switched_off() {
    // Put together here, so that this file does not find itself.
    let switched_off = ["#[ign", "ore"].concat();
    let faults: Vec<String> = files(".rs")
        .iter()
        .filter(|path| text(path).contains(&switched_off))
        .map(|path| path.display().to_string())
        .collect();
    none(
        &faults,
        "a test that does not run asserts nothing; assert today's behaviour and say why it is wrong",
    );
}

#[test]
fn every_package_inherits_the_workspaces_lints_and_version() {
    let mut faults = Vec::new();
    for package in packages() {
        let manifest = text(package.join("Cargo.toml"));
        for wanted in ["[lints]\nworkspace = true", "version.workspace = true"] {
            if !manifest.contains(wanted) {
                let wanted = wanted.replace('\n', " / ");
                faults.push(format!("{} lacks {wanted}", package.display()));
            }
        }
        let own = manifest
            .split("dependencies]")
            .skip(1)
            .flat_map(|part| part.split("\n[").next().unwrap_or_default().lines())
            .filter(|line| line.contains('=') && !line.contains("workspace = true"));
        for line in own {
            faults.push(format!("{}: `{line}`", package.display()));
        }
    }
    none(
        &faults,
        "versions and lints are kept once, in the workspace's Cargo.toml",
    );
}

#[test]
fn packages_are_named_after_their_folders() {
    let faults: Vec<String> = packages()
        .iter()
        .filter(|package| {
            let folder = package.file_name().unwrap().to_string_lossy();
            let name = format!("name = \"{folder}\"");
            package.components().count() > 2 || !text(package.join("Cargo.toml")).contains(&name)
        })
        .map(|package| package.display().to_string())
        .collect();
    none(
        &faults,
        "folder name = package name, and nothing nests deeper than crates/x or services/x",
    );
}

#[test]
fn shell_scripts_parse_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    let mut scripts = files(".sh");
    scripts.push(".ci/run".into());
    for path in scripts {
        let checked = Command::new("bash")
            .arg("-n")
            .arg(workspace_root().join(&path))
            .output()
            .unwrap();
        if !checked.status.success() {
            let said = String::from_utf8_lossy(&checked.stderr).into_owned();
            faults.push(format!("{}: {}", path.display(), said.trim()));
        }
        let source = text(&path);
        let opening = source.lines().find(|line| !line.starts_with("#!"));
        if !opening.is_some_and(|line| line.starts_with("# ") && line.len() > 20) {
            faults.push(format!(
                "{} does not begin with a comment that says what it is for",
                path.display()
            ));
        }
        let is_sourced = opening.is_some_and(|line| line.contains("Sourced"));
        if !is_sourced && !source.lines().any(|line| line.starts_with("set -e")) {
            faults.push(format!(
                "{} does not stop at errors: set -eu",
                path.display()
            ));
        }
    }
    none(&faults, "correct these scripts");
}

#[test]
fn tracked_text_names_no_machine() {
    // Put together here, so that this file does not find itself.
    let paths = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let mut faults = Vec::new();
    for ending in [".rs", ".md", ".sh", ".toml", ".yml"] {
        for path in files(ending) {
            for (at, line) in text(&path).lines().enumerate() {
                if paths.iter().any(|machine| line.contains(machine)) {
                    faults.push(format!("{}:{}", path.display(), at + 1));
                }
            }
        }
    }
    none(&faults, "paths of one machine belong in no tracked file");
}
