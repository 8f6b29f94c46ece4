//! Which files a connector that others wrote may use: the system's, its own, those below the data
//! roots, its run's directory. Not the engine's data directory, nor anybody's
//! home.

use std::path::{Path, PathBuf};

/// Where programs, libraries and the system's settings are. Of `/run`, where other services keep their
/// secrets, what `/etc/resolv.conf` may be a link into.
const SYSTEM: [&str; 15] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
];
/// Deeper than any data directory is below a root.
const DEPTH_MAX: usize = 32;

/// What a connector of an environment may read.
pub(super) fn readable(environment: &Path, roots: &[PathBuf], home: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    paths.push(environment.to_owned());
    // The environment's interpreter is a link into the installation it was made from.
    if let Ok(python) = environment.join("bin/python").canonicalize()
        && let Some(installation) = python.parent().and_then(Path::parent)
    {
        paths.push(installation.to_owned());
    }
    for root in roots {
        without(root, home, DEPTH_MAX, &mut paths);
    }
    paths.retain(|path| path.exists());
    paths
}

/// What it may write to; its temporary files belong into the run's directory.
pub(super) fn writable(run: &Path) -> Vec<PathBuf> {
    vec![run.to_owned(), "/dev".into()]
}

/// Everything below a directory but another one in it.
fn without(directory: &Path, excluded: &Path, depth: usize, paths: &mut Vec<PathBuf>) {
    let Ok(directory) = directory.canonicalize() else {
        return;
    };
    if directory.starts_with(excluded) {
        return;
    }
    if !excluded.starts_with(&directory) {
        paths.push(directory);
        return;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let entries = std::fs::read_dir(&directory).into_iter().flatten();
    for entry in entries.flatten() {
        without(&entry.path(), excluded, depth, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_run_only_what_names_need_is_readable() {
        let work = tempfile::tempdir().unwrap();
        let paths = readable(work.path(), &[], work.path());
        let inside = |secret: &str| paths.iter().any(|path| Path::new(secret).starts_with(path));
        for secret in [
            "/run/aam/keys/api/api_key",
            "/run/secrets/key",
            "/run/user/0/bus",
            "/var/lib/aam",
        ] {
            assert!(!inside(secret), "{secret} is readable: {paths:?}");
        }
        assert!(inside("/etc/resolv.conf") && inside("/usr/bin/python3"));
    }

    #[test]
    fn a_root_around_the_data_directory_is_readable_but_for_it() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for directory in ["data/deep", "work/.aam/keys", "work/files"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("work/.aam"), root.join("link")).unwrap();
        let mut paths = Vec::new();
        without(&root, &root.join("work/.aam"), DEPTH_MAX, &mut paths);
        paths.sort();
        assert_eq!(paths, [root.join("data"), root.join("work/files")]);
    }
}
