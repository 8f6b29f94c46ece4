//! The data directory: `.aam`, searched upwards from the working directory; created there if not
//! found.
//!
//! The first process that needs a key creates it, under a separate lock; key files are readable by
//! their owner only. Where a key must already exist, a missing one is an error instead.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::random;

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory or a file in it cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A required key does not exist.
    #[error(
        "{path} is missing, and keys are not generated with ENVIRONMENT=production: create the \
         file, or set {variable}"
    )]
    MissingKey {
        /// The expected path.
        path: PathBuf,
        /// The variable that can provide the key instead.
        variable: &'static str,
    },
    /// A key file has unexpected content.
    #[error("{path} does not contain a key that this version supports")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the stack's lock.
    #[error("another stack is using {path}; stop it, or set AAM_HOME to another directory")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |source| Error::Io {
        path: path.to_owned(),
        source,
    }
}

/// A lock on the data directory, held until dropped.
#[derive(Debug)]
pub struct StackLock {
    _file: File,
}

/// The data directory.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
    makes_keys: bool,
}

impl Home {
    /// Locates the data directory: `explicit` if given, else the nearest `.aam` at or above
    /// `working_directory`, else `.aam` in it; creates it (mode 0700) if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the directory can be neither found nor created.
    pub fn locate(
        explicit: Option<&Path>,
        working_directory: &Path,
        makes_keys: bool,
    ) -> Result<Self, Error> {
        let path = match explicit {
            Some(path) => path.to_owned(),
            None => working_directory
                .ancestors()
                .map(|directory| directory.join(".aam"))
                .find(|candidate| candidate.is_dir())
                .unwrap_or_else(|| working_directory.join(".aam")),
        };
        make_directory(&path)?;
        let path = path.canonicalize().map_err(io_error(&path))?;
        Ok(Self { path, makes_keys })
    }

    /// The directory, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The registry's SQLite file.
    pub fn registry_db(&self) -> PathBuf {
        self.path.join("registry.db")
    }

    /// The embedded Airbyte's database.
    pub fn airbyte_db(&self) -> PathBuf {
        self.path.join("airbyte.db")
    }

    /// The file that the embedded Airbyte's first destination writes to.
    pub fn warehouse_db(&self) -> PathBuf {
        self.path.join("warehouse.db")
    }

    /// The sample source database.
    pub fn sample_db(&self) -> PathBuf {
        self.path.join("sample.db")
    }

    /// The auth broker's root key.
    ///
    /// # Errors
    /// Returns an error if it cannot be read or created.
    pub fn secret_key(&self) -> Result<SecretString, Error> {
        self.key("secret_key", "SECRET_KEY")
    }

    /// Whether the auth broker's root key exists.
    pub fn has_secret_key(&self) -> bool {
        self.path.join("keys/secret_key").exists()
    }

    /// The key that signs service tokens.
    ///
    /// # Errors
    /// Returns an error if it cannot be read or created.
    pub fn service_token_key(&self) -> Result<SecretString, Error> {
        self.key("service_token_key", "SERVICE_TOKEN_KEY")
    }

    /// The root key with which the embedded Airbyte seals connector secrets.
    ///
    /// # Errors
    /// Returns an error if it cannot be read or created.
    pub fn airbyte_seal_root(&self) -> Result<SecretString, Error> {
        self.key("airbyte_secret_key", "AIRBYTE_SECRET_KEY")
    }

    /// The embedded Airbyte's client id and client secret.
    ///
    /// # Errors
    /// Returns an error if they cannot be read or created.
    pub fn airbyte_client(&self) -> Result<(String, SecretString), Error> {
        let made = || {
            let secret = random::secret();
            format!("{}\n{}\n", uuid::Uuid::new_v4(), secret.expose_secret())
        };
        let text = self.key_file("airbyte_client", "AIRBYTE_CLIENT_SECRET", made)?;
        let mut lines = text.expose_secret().lines();
        match (lines.next(), lines.next()) {
            (Some(id), Some(secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok((id.to_owned(), secret.to_owned().into()))
            }
            _ => Err(Error::Malformed {
                path: self.path.join("keys").join("airbyte_client"),
            }),
        }
    }

    fn key(&self, name: &str, variable: &'static str) -> Result<SecretString, Error> {
        let text = self.key_file(name, variable, || {
            random::secret().expose_secret().to_owned()
        })?;
        let value = text.expose_secret().trim();
        if value.is_empty() {
            return Err(Error::Malformed {
                path: self.path.join("keys").join(name),
            });
        }
        Ok(value.to_owned().into())
    }

    fn key_file(
        &self,
        name: &str,
        variable: &'static str,
        make: impl FnOnce() -> String,
    ) -> Result<SecretString, Error> {
        let keys = self.path.join("keys");
        let path = keys.join(name);
        if let Some(found) = read_if_there(&path)? {
            return Ok(found);
        }
        if !self.makes_keys {
            return Err(Error::MissingKey { path, variable });
        }
        make_directory(&keys)?;
        let lock_path = keys.join(".lock");
        let lock = private_file(&lock_path)?;
        lock.lock().map_err(io_error(&lock_path))?;
        if let Some(found) = read_if_there(&path)? {
            return Ok(found);
        }
        // Write to a temporary file and rename it, so that a reader without the lock never sees
        // half a key.
        let text = make();
        let unfinished = keys.join(format!(".{name}.new"));
        let mut file = private_file(&unfinished)?;
        file.set_len(0).map_err(io_error(&unfinished))?;
        file.write_all(text.as_bytes())
            .map_err(io_error(&unfinished))?;
        file.sync_all().map_err(io_error(&unfinished))?;
        fs::rename(&unfinished, &path).map_err(io_error(&path))?;
        Ok(text.into())
    }

    /// Takes the lock that prevents a second stack from using the directory.
    ///
    /// # Errors
    /// Returns `Error::Locked` if another process holds the lock.
    pub fn lock_stack(&self) -> Result<StackLock, Error> {
        let path = self.path.join("stack.lock");
        let file = private_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(StackLock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Locked { path }),
            Err(fs::TryLockError::Error(source)) => Err(Error::Io { path, source }),
        }
    }
}

fn make_directory(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error(path))
}

fn private_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(io_error(path))
}

fn read_if_there(path: &Path) -> Result<Option<SecretString>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn uses_the_nearest_data_directory_above() {
        let top = tempfile::tempdir().unwrap();
        let nested = top.path().join("a/b");
        fs::create_dir_all(&nested).unwrap();
        let made = Home::locate(None, top.path(), true).unwrap();
        let found = Home::locate(None, &nested, true).unwrap();
        assert_eq!(made.path(), found.path());
    }

    #[test]
    fn processes_that_race_for_a_key_agree_on_it() {
        let top = tempfile::tempdir().unwrap();
        let home = Home::locate(None, top.path(), true).unwrap();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| home.secret_key().unwrap().expose_secret().to_owned()))
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 43));
        let mode = fs::metadata(home.path().join("keys/secret_key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn production_does_not_generate_keys() {
        let top = tempfile::tempdir().unwrap();
        let home = Home::locate(None, top.path(), false).unwrap();
        assert!(matches!(home.secret_key(), Err(Error::MissingKey { .. })));
    }

    #[test]
    fn rejects_a_second_stack() {
        let top = tempfile::tempdir().unwrap();
        let home = Home::locate(None, top.path(), true).unwrap();
        let held = home.lock_stack().unwrap();
        assert!(matches!(home.lock_stack(), Err(Error::Locked { .. })));
        drop(held);
        home.lock_stack().unwrap();
    }
}
