//! Which files a connector may touch: those under the data roots, and the few of AAM's own home
//! that were named. Links are resolved first, so that none leads out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::own_files::OwnFiles;

/// What the environment allows.
pub(crate) struct Limits {
    roots: Option<Vec<PathBuf>>,
    own: OwnFiles,
    home_files: Vec<PathBuf>,
}

/// Folders whose files the system makes up; a process's own environment is among them.
const MADE_UP: [&str; 3] = ["/proc", "/sys", "/dev"];

impl Limits {
    /// Reads `AAM_DATA_ROOTS`, `AAM_HOME`, `AAM_HOME_FILES` and what is AAM's own; the lists are
    /// colon-separated.
    pub(crate) fn from_environment() -> Self {
        let list = |value: OsString| -> Vec<PathBuf> {
            std::env::split_paths(&value)
                .filter(|path| !path.as_os_str().is_empty())
                .collect()
        };
        Self::new(
            std::env::var_os("AAM_DATA_ROOTS").map(list),
            std::env::var_os("AAM_HOME").map(PathBuf::from),
            std::env::var_os("AAM_HOME_FILES").map(list),
            OwnFiles::from_environment(),
        )
    }

    fn new(
        roots: Option<Vec<PathBuf>>,
        home: Option<PathBuf>,
        home_files: Option<Vec<PathBuf>>,
        own: OwnFiles,
    ) -> Self {
        // A person who runs the connector without limits is limited by their own permissions.
        let limited = roots.is_some() || home.is_some() || home_files.is_some();
        let roots = match roots {
            Some(roots) => Some(roots),
            None if limited => Some(vec![PathBuf::from(".")]),
            None => None,
        };
        let mut folders = own.folders().to_vec();
        folders.extend(home);
        Self {
            roots,
            own: OwnFiles::new(own.files().to_vec(), folders),
            home_files: home_files.unwrap_or_default(),
        }
    }

    /// The file's real path, if it may be touched. The file itself need not exist, its folder
    /// must.
    ///
    /// # Errors
    /// Why not, in words for the person who wrote the path.
    pub(crate) fn resolve(&self, written: &str) -> Result<PathBuf, String> {
        if written.is_empty() || written.contains('\0') {
            return Err("the path is empty or holds a NUL character".to_owned());
        }
        // A relative path starts from the first data root, because the author of a configuration
        // does not know the folder that a connector runs in.
        let start = self.roots.as_deref().and_then(<[PathBuf]>::first);
        let path = start.map_or_else(|| PathBuf::from(written), |root| root.join(written));
        let real = real_path(&path).map_err(|why| format!("{written}: {why}"))?;
        let Some(roots) = &self.roots else {
            return Ok(real);
        };
        // By its place: a link there would lead to something else.
        if self
            .home_files
            .iter()
            .any(|file| entry_path(file).is_some_and(|file| file == real))
        {
            return Ok(real);
        }
        if self.own.holds(&real) {
            return Err(format!(
                "{written} is one of AAM's own files (settings, keys, databases), which connectors \
                 may not touch"
            ));
        }
        let is_made_up = MADE_UP.iter().any(|folder| real.starts_with(folder));
        if is_made_up
            && !roots
                .iter()
                .any(|root| MADE_UP.iter().any(|folder| root.starts_with(folder)))
        {
            return Err(format!("{written} is a system file, not a data file"));
        }
        let real_roots = roots.iter().filter_map(|root| root.canonicalize().ok());
        if real_roots.into_iter().any(|root| real.starts_with(root)) {
            return Ok(real);
        }
        let shown: Vec<String> = roots
            .iter()
            .map(|root| root.display().to_string())
            .collect();
        Err(format!(
            "{written} is outside of the folders that connectors may touch ({}); AAM_DATA_ROOTS \
             lists them",
            shown.join(", ")
        ))
    }
}

fn real_path(path: &Path) -> Result<PathBuf, String> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    if path.is_symlink() {
        return Err("the link leads nowhere".to_owned());
    }
    let name = path.file_name().ok_or("the path names no file")?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let real = folder
        .canonicalize()
        .map_err(|e| format!("its folder cannot be opened: {e}"))?;
    Ok(real.join(name))
}

/// The location of a file of any kind: links in its folder's path are resolved, a link at its own
/// path is not.
fn entry_path(path: &Path) -> Option<PathBuf> {
    if path.is_symlink() {
        return None;
    }
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_under_a_root_or_named_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["data", "other", "data/.aam"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        for name in [
            "other/secret.db",
            "data/.aam/warehouse.db",
            "data/.aam/registry.db",
        ] {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(at("other"), at("data/out")).unwrap();
        std::os::unix::fs::symlink(at("other/nowhere.db"), at("data/dangling.db")).unwrap();
        let limits = Limits::new(
            Some(vec![at("data")]),
            Some(at("data/.aam")),
            Some(vec![at("data/.aam/warehouse.db")]),
            OwnFiles::new(vec![at("data/api_key")], Vec::new()),
        );
        let allowed = |name: &str| limits.resolve(at(name).to_str().unwrap());
        for name in [
            "data/new.db",
            "data/../data/new.db",
            "data/.aam/warehouse.db",
        ] {
            assert!(allowed(name).is_ok(), "{name}");
        }
        for name in [
            "other/secret.db",
            "data/../other/secret.db",
            "data/out/secret.db",
            "data/out/new.db",
            "data/dangling.db",
            "data/.aam/registry.db",
            "data/.aam/new.db",
            "missing/new.db",
            "data/.env",
            "data/aam.toml",
            "data/api_key",
        ] {
            assert!(allowed(name).is_err(), "{name}");
        }
        let by_hand = Limits::new(None, None, None, OwnFiles::default());
        assert!(
            by_hand
                .resolve(at("other/secret.db").to_str().unwrap())
                .is_ok()
        );
        assert!(by_hand.resolve("").is_err());
    }

    #[test]
    fn a_home_without_roots_allows_the_working_directory() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits::new(
            None,
            Some(home.path().to_path_buf()),
            None,
            OwnFiles::default(),
        );
        assert!(limits.resolve("here.db").is_ok());
        assert!(
            limits
                .resolve(home.path().join("registry.db").to_str().unwrap())
                .is_err()
        );
    }
}
