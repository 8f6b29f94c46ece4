//! Which files a connector that others wrote may use: the system's, its own, those below the data
//! roots, its run's directory. Not the engine's data directory, nor anybody's
//! home.

use std::path::{Path, PathBuf};

use connectors::own_files::OwnFiles;

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

/// What a connector of an environment may read: not what is AAM's own, wherever that is.
pub(super) fn readable(environment: &Path, roots: &[PathBuf], own: &OwnFiles) -> Vec<PathBuf> {
    let mut excluded: Vec<PathBuf> = own
        .files()
        .iter()
        .chain(own.folders())
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    excluded.extend(own.other_names(roots));
    let mut paths = Vec::new();
    let system = SYSTEM.iter().map(Path::new);
    for directory in system.chain(roots.iter().map(PathBuf::as_path)) {
        without(directory, &excluded, DEPTH_MAX, &mut paths);
    }
    // In the data directory, and yet the connector's own.
    paths.push(environment.to_owned());
    // The environment's interpreter is a link into the installation it was made from.
    if let Ok(python) = environment.join("bin/python").canonicalize()
        && let Some(installation) = python.parent().and_then(Path::parent)
    {
        paths.push(installation.to_owned());
    }
    paths.retain(|path| path.exists());
    paths
}

/// What it may write to; its temporary files belong into the run's directory.
pub(super) fn writable(run: &Path) -> Vec<PathBuf> {
    vec![run.to_owned(), "/dev".into()]
}

/// Everything below a directory but what is excluded in it.
fn without(directory: &Path, excluded: &[PathBuf], depth: usize, paths: &mut Vec<PathBuf>) {
    // Links among the system's directories stay links: their targets are listed as well.
    let Ok(real) = directory.canonicalize() else {
        return;
    };
    if excluded.iter().any(|excluded| real.starts_with(excluded)) {
        return;
    }
    if !excluded.iter().any(|excluded| excluded.starts_with(&real)) {
        paths.push(real);
        return;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let entries = std::fs::read_dir(&real).into_iter().flatten();
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
        let paths = readable(work.path(), &[], &OwnFiles::default());
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
        std::fs::write(root.join("work/.env"), "secret").unwrap();
        std::fs::hard_link(root.join("work/.env"), root.join("data/deep/copy.csv")).unwrap();
        std::fs::write(root.join("data/rows.csv"), "1").unwrap();
        let own = OwnFiles::new(vec![root.join("work/.env")], vec![root.join("work/.aam")]);
        let environment = root.join("work/.aam/connectors/one");
        std::fs::create_dir_all(&environment).unwrap();
        let paths = readable(&environment, std::slice::from_ref(&root), &own);
        let mut below: Vec<_> = paths
            .iter()
            .filter(|path| path.starts_with(&root))
            .collect();
        below.sort();
        let expected = [
            root.join("data/rows.csv"),
            environment,
            root.join("work/files"),
        ];
        assert_eq!(below, expected.iter().collect::<Vec<_>>());
    }
}
