//! Files and folders: made, moved and removed so that a loss of power leaves the one or the other.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::spool::unwritable;

/// Renames files, then syncs the folders they were moved to. A missing file was renamed by an earlier
/// attempt.
pub(super) fn carry_out(moves: &[(PathBuf, PathBuf)]) -> Result<(), Failure> {
    let mut folders = BTreeSet::new();
    for (from, to) in moves {
        if !from.exists() {
            continue;
        }
        if let Some(folder) = to.parent() {
            make(folder)?;
            folders.insert(folder);
        }
        rename(from, to)?;
    }
    folders.into_iter().try_for_each(sync)
}

/// Makes a folder; a link in its place could lead anywhere.
pub(super) fn make(folder: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(folder) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(Failure::config(format!(
            "{} is not a folder",
            folder.display()
        ))),
        Err(_) => match fs::create_dir(folder) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(unwritable(folder, &e)),
            Ok(()) => folder.parent().map_or(Ok(()), sync),
        },
    }
}

/// Locks a file for as long as this process lives; `busy`: what it means that another one has.
pub(super) fn lock(path: &Path, busy: impl FnOnce() -> String) -> Result<File, Failure> {
    let options = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = options.map_err(|e| unwritable(path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Failure::transient(busy())),
        Err(fs::TryLockError::Error(e)) => Err(unwritable(path, &e)),
    }
}

/// Names in a folder; empty if the folder does not exist.
pub(super) fn files(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| unwritable(folder, &e))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| unwritable(folder, &e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

pub(super) fn remove_folder(folder: &Path) -> Result<(), Failure> {
    fs::remove_dir(folder).map_err(|e| unwritable(folder, &e))
}

pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|e| unwritable(path, &e))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|e| unwritable(to, &e))
}

/// Makes what a folder holds survive a loss of power.
pub(super) fn sync(folder: &Path) -> Result<(), Failure> {
    let open = File::open(folder).and_then(|folder| folder.sync_all());
    open.map_err(|e| unwritable(folder, &e))
}
