//! Checks that a folder's disk has enough free space.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Below this the next write may fail: a database and its log grow by pages.
const ROOM_MIN: u64 = 1024 * 1024;

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub enum NoSpace {
    /// The disk is full, or nearly.
    #[error("the disk of {path} is full: {} KB left; free some space", left / 1024)]
    Full {
        /// The folder.
        path: PathBuf,
        /// Free bytes.
        left: u64,
    },
    /// The folder cannot be written to.
    #[error("cannot write to {path}")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

/// Succeeds if the folder is writable and its disk has enough free space.
///
/// # Errors
/// Returns the reason if it cannot.
pub fn check_free_space(folder: &Path) -> Result<(), NoSpace> {
    let unwritable = |source| NoSpace::Unwritable {
        path: folder.to_owned(),
        source,
    };
    let disk = statvfs(folder).map_err(|errno| unwritable(errno.into()))?;
    #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
    let left = (disk.blocks_available() as u64).saturating_mul(disk.fragment_size() as u64);
    if left < ROOM_MIN {
        return Err(NoSpace::Full {
            path: folder.to_owned(),
            left,
        });
    }
    nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK)
        .map_err(|errno| unwritable(errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_folder_has_space_and_a_missing_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_free_space(folder.path()).is_ok());
        let missing = folder.path().join("missing");
        assert!(
            check_free_space(&missing)
                .unwrap_err()
                .to_string()
                .contains("missing")
        );
    }
}
