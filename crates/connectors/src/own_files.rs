//! AAM's own files: settings, keys and databases. No connector may read or write them, whatever the
//! caller's role.
//!
//! They are known by identity (device and inode), so that a link of either kind leads no further than
//! the file itself; and by place, so that one which is not there yet cannot be made.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The variable with single files, separated by colons.
pub const FILES_VARIABLE: &str = "AAM_OWN_FILES";
/// The variable with folders, separated by colons.
pub const FOLDERS_VARIABLE: &str = "AAM_OWN_FOLDERS";

/// Deeper than anything that AAM keeps.
const DEPTH_MAX: usize = 16;

/// What identifies a file under any name: device and inode.
type Identity = (u64, u64);

/// Files and folders that are AAM's own.
#[derive(Debug, Clone, Default)]
pub struct OwnFiles {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl OwnFiles {
    /// These files, and everything in these folders. None of them has to exist.
    pub fn new(files: Vec<PathBuf>, folders: Vec<PathBuf>) -> Self {
        Self { files, folders }
    }

    /// What the engine passes in the environment of its connectors.
    pub(crate) fn from_environment() -> Self {
        let list = |name: &str| -> Vec<PathBuf> {
            let value = std::env::var_os(name).unwrap_or_default();
            std::env::split_paths(&value)
                .filter(|path| !path.as_os_str().is_empty())
                .collect()
        };
        Self::new(list(FILES_VARIABLE), list(FOLDERS_VARIABLE))
    }

    /// The single files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The folders.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Whether a path, links resolved, is one of AAM's own files or lies in one of its folders. The
    /// file need not exist.
    pub fn holds(&self, real: &Path) -> bool {
        if real.file_name().is_some_and(names_settings) {
            return true;
        }
        if self.files.iter().any(|file| is_same_place(file, real)) {
            return true;
        }
        let folders: HashSet<Identity> = self.folders.iter().filter_map(identity).collect();
        let is_inside = |path: &Path| identity(path).is_some_and(|id| folders.contains(&id));
        if real.ancestors().any(is_inside) {
            return true;
        }
        let Ok(metadata) = std::fs::metadata(real) else {
            return false;
        };
        let wanted = (metadata.dev(), metadata.ino());
        self.files.iter().filter_map(identity).any(|id| id == wanted)
            // Another name of the same file is the only other way into a folder.
            || (metadata.is_file() && metadata.nlink() > 1 && self.folders_hold(wanted))
    }

    /// Names below `roots` under which AAM's own files can be reached beside their own: hard links.
    pub fn other_names(&self, roots: &[PathBuf]) -> Vec<PathBuf> {
        let mut linked = HashSet::new();
        let mut note = |path: &Path| {
            if let Ok(metadata) = std::fs::metadata(path)
                && metadata.is_file()
                && metadata.nlink() > 1
            {
                linked.insert((metadata.dev(), metadata.ino()));
            }
        };
        self.files.iter().for_each(|file| note(file));
        // Installed packages have many hard links and contain no secrets.
        for folder in &self.folders {
            for folder in [folder.clone(), folder.join("keys")] {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                entries.for_each(|entry| note(&entry.path()));
            }
        }
        let mut found = Vec::new();
        if !linked.is_empty() {
            for root in roots {
                walk(root, DEPTH_MAX * 2, &mut |path, id| {
                    if linked.contains(&id) {
                        found.push(path.to_owned());
                    }
                    true
                });
            }
        }
        found
    }

    fn folders_hold(&self, wanted: Identity) -> bool {
        let mut found = false;
        for folder in &self.folders {
            walk(folder, DEPTH_MAX, &mut |_, id| {
                found |= id == wanted;
                !found
            });
        }
        found
    }
}

/// Names that AAM reads its settings from, wherever they are.
fn names_settings(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    name == "aam.toml" || name == ".env" || name.starts_with(".env.")
}

fn identity(path: impl AsRef<Path>) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Whether both name the same entry of the same folder, however the file system treats letters.
fn is_same_place(own: &Path, real: &Path) -> bool {
    let (Some(own_name), Some(name)) = (own.file_name(), real.file_name()) else {
        return false;
    };
    let folder = |path: &Path| path.parent().and_then(identity);
    own_name.eq_ignore_ascii_case(name) && folder(own).is_some() && folder(own) == folder(real)
}

/// Visits each file below a folder, without following links, until `visit` returns false.
fn walk(folder: &Path, depth: usize, visit: &mut impl FnMut(&Path, Identity) -> bool) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return true;
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let goes_on = if metadata.is_dir() {
            walk(&path, depth, visit)
        } else {
            visit(&path, (metadata.dev(), metadata.ino()))
        };
        if !goes_on {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn own_files_are_known_by_identity_and_by_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        for name in ["home/keys", "data"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "key",
            "home/keys/secret_key",
            "data/rows.csv",
            "data/other.csv",
        ] {
            fs::write(at(name), name).unwrap();
        }
        symlink(at("home"), at("data/home")).unwrap();
        fs::hard_link(at("key"), at("data/key.csv")).unwrap();
        fs::hard_link(at("home/keys/secret_key"), at("data/secret.csv")).unwrap();
        fs::hard_link(at("data/other.csv"), at("data/again.csv")).unwrap();
        let own = OwnFiles::new(vec![at("key"), at("data/not_yet")], vec![at("home")]);
        for held in [
            "key",
            "data/key.csv",
            "data/secret.csv",
            "data/home/keys/secret_key",
            "home",
            "home/registry.db",
            "data/not_yet",
            "data/NOT_YET",
            "data/.env",
            "data/.Env.local",
            "data/aam.toml",
        ] {
            assert!(own.holds(&at(held)), "{held}");
        }
        for free in [
            "data/rows.csv",
            "data/again.csv",
            "data/new.csv",
            "data/env",
            "data",
        ] {
            assert!(!own.holds(&at(free)), "{free}");
        }
        let mut names = own.other_names(&[at("data")]);
        names.sort();
        assert_eq!(names, [at("data/key.csv"), at("data/secret.csv")]);
    }
}
