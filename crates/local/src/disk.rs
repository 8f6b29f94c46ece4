//! Whether a folder's disk has room for what is to be written.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Bytes without which the next write may fail: a database grows by pages, and its log with it.
const ROOM_MIN: u64 = 1024 * 1024;

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// The disk is full, or nearly.
    #[error("the disk of {path} is full: {} KB are left; make room on it", left / 1024)]
    Full {
        /// The folder.
        path: PathBuf,
        /// Bytes that are left.
        left: u64,
    },
    /// The folder cannot be written to.
    #[error("{path} cannot be written to")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
}

/// Answers when the folder can be written to and its disk has room.
///
/// # Errors
/// Why not.
pub fn room(folder: &Path) -> Result<(), NoRoom> {
    let unwritable = |source| NoRoom::Unwritable {
        path: folder.to_owned(),
        source,
    };
    let disk = statvfs(folder).map_err(|errno| unwritable(errno.into()))?;
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
    let left = (disk.blocks_available() as u64).saturating_mul(disk.fragment_size() as u64);
    if left < ROOM_MIN {
        return Err(NoRoom::Full {
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
    fn a_folder_has_room_and_one_that_is_not_there_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(room(folder.path()).is_ok());
        let missing = folder.path().join("missing");
        assert!(room(&missing).unwrap_err().to_string().contains("missing"));
    }
}
