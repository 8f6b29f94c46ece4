//! The files in which AAM keeps its settings, keys and databases, which connectors must not access.

use std::path::{Path, PathBuf};

use crate::database_url::DatabaseTarget;
use crate::source::{SETTINGS_FILES, Source};
use crate::variables;
use local::home::Home;

/// A folder of this name around a key file contains only keys.
const KEYS: &str = "keys";
/// The suffixes of SQLite's files.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Files, and folders with all their content.
pub(super) fn collect(
    source: &Source,
    home: &Home,
    databases: [&DatabaseTarget; 2],
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let working_directory = source.working_directory();
    let mut files = Vec::new();
    let mut folders = vec![home.path().to_owned()];
    // Another process of this installation may have been started next to the data directory.
    for folder in [Some(working_directory), home.path().parent()] {
        let folder = folder.into_iter();
        files.extend(folder.flat_map(|folder| SETTINGS_FILES.map(|name| folder.join(name))));
    }
    for (variable, ..) in variables::ALL {
        let Some(target) = source.get(&format!("{variable}_FILE")) else {
            continue;
        };
        let target = working_directory.join(target);
        folders.extend(keys_folder(&target));
        files.push(target);
    }
    for database in databases {
        if let DatabaseTarget::Sqlite { path } = database {
            files.extend(BESIDE.map(|suffix| {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                PathBuf::from(name)
            }));
        }
    }
    (files, folders)
}

/// The outermost key folder that contains a file.
fn keys_folder(file: &Path) -> Option<PathBuf> {
    let named = file.ancestors().skip(1);
    let keys = named.filter(|folder| folder.file_name().is_some_and(|name| name == KEYS));
    keys.last().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_key_files_and_databases_are_protected() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("api_key"), "aam_0123456789abcdef").unwrap();
        let value = |name: &str, value: String| (name.to_owned(), value);
        let source = Source::of(
            [
                value("AAM_API_KEY_FILE", "api_key".to_owned()),
                value(
                    "SECRET_KEY_FILE",
                    "/run/aam/keys/broker/secret_key".to_owned(),
                ),
                value("SSL_CERT_FILE", "/etc/ssl/cert.pem".to_owned()),
            ],
            folder.path().to_owned(),
        );
        let home = Home::locate(Some(&at("data/home")), folder.path(), true).unwrap();
        let registry = DatabaseTarget::Sqlite {
            path: at("elsewhere.db"),
        };
        let (files, folders) = collect(&source, &home, [&registry, &registry]);
        for file in [
            at(".env"),
            at("aam.toml"),
            home.path().with_file_name(".env"),
            at("api_key"),
            "/run/aam/keys/broker/secret_key".into(),
            at("elsewhere.db"),
            at("elsewhere.db-wal"),
        ] {
            assert!(files.contains(&file), "{}", file.display());
        }
        assert_eq!(folders, [home.path().to_owned(), "/run/aam/keys".into()]);
        assert!(!files.contains(&"/etc/ssl/cert.pem".into()));
    }
}
