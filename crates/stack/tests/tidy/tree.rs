//! The checkout as the rules see it: the files that are kept, and the packages in it.

use std::path::{Path, PathBuf};

pub(crate) use test_support::workspace_root;

/// Directories that are built or made, not written.
const NOT_OURS: &[&str] = &["target", ".git", ".aam", "aam-demo", "node_modules"];

/// Every file of the checkout whose name ends in `ending`, by its path from the top.
pub(crate) fn files(ending: &str) -> Vec<PathBuf> {
    let root = workspace_root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(ending) {
                found.push(entry.path().strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(
        !found.is_empty(),
        "no file of the checkout ends in {ending}"
    );
    found
}

/// The text of a file of the checkout.
pub(crate) fn text(path: impl AsRef<Path>) -> String {
    let path = workspace_root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders of the workspace's packages, from the top. A separate workspace is not built with
/// the others.
pub(crate) fn packages() -> Vec<PathBuf> {
    files("Cargo.toml")
        .into_iter()
        .filter_map(|path| path.parent().map(Path::to_owned))
        .filter(|folder| !folder.as_os_str().is_empty())
        .filter(|folder| !text(folder.join("Cargo.toml")).contains("\n[workspace]\n"))
        .collect()
}

/// Fails with every fault at once, and what to do about them.
#[track_caller]
pub(crate) fn none(faults: &[String], to_do: &str) {
    assert!(faults.is_empty(), "{to_do}:\n  {}", faults.join("\n  "));
}
