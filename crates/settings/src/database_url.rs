//! The registry's database URL: several spellings of PostgreSQL, or SQLite.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// The kind of database, and its address.
#[derive(Debug, Clone)]
pub enum DatabaseTarget {
    /// PostgreSQL, with a URL that sqlx accepts.
    Postgres {
        /// The URL, with the scheme `postgresql`.
        url: SecretString,
    },
    /// SQLite, with its file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
}

/// Why a database URL cannot be used. Never shows the URL, which contains a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DatabaseUrlError {
    /// Not a URL.
    #[error("is not a URL ({0}); a password with special characters must be percent-encoded")]
    Syntax(String),
    /// An unsupported database.
    #[error("`{0}` is not supported; use postgresql:// or sqlite://")]
    Scheme(String),
}

impl DatabaseTarget {
    /// Parses `postgresql://`, `postgres://`, either with a driver (`postgresql+asyncpg://`), and
    /// `sqlite://path`; a relative SQLite path starts from `working_directory`.
    ///
    /// # Errors
    /// Returns an error if it is not a URL or names an unsupported database.
    pub fn parse(text: &SecretString, working_directory: &Path) -> Result<Self, DatabaseUrlError> {
        let text = text.expose_secret();
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| DatabaseUrlError::Syntax("no scheme".to_owned()))?;
        let dialect = scheme.split('+').next().unwrap_or(scheme);
        match dialect.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => {
                let url = Url::parse(&format!("postgresql:{rest}"))
                    .map_err(|error| DatabaseUrlError::Syntax(error.to_string()))?;
                Ok(Self::Postgres {
                    url: normalise_parameters(url).into(),
                })
            }
            "sqlite" => {
                let path = rest.trim_start_matches("//");
                let path = path.split('?').next().unwrap_or(path);
                Ok(Self::Sqlite {
                    path: working_directory.join(path),
                })
            }
            other => Err(DatabaseUrlError::Scheme(other.to_owned())),
        }
    }
}

/// asyncpg spells `sslmode` as `ssl`; PostgreSQL does not know poolers' parameters.
fn normalise_parameters(mut url: Url) -> String {
    let parameters: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !matches!(name.as_ref(), "pgbouncer" | "connection_limit"))
        .map(|(name, value)| match (name.as_ref(), value.as_ref()) {
            ("ssl", "true" | "True") => ("sslmode".to_owned(), "require".to_owned()),
            ("ssl", "false" | "False") => ("sslmode".to_owned(), "disable".to_owned()),
            ("ssl", mode) => ("sslmode".to_owned(), mode.to_owned()),
            (name, value) => (name.to_owned(), value.to_owned()),
        })
        .collect();
    url.set_query(None);
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(text: &str) -> String {
        match DatabaseTarget::parse(&text.to_owned().into(), Path::new("/d")).unwrap() {
            DatabaseTarget::Postgres { url } => url.expose_secret().to_owned(),
            DatabaseTarget::Sqlite { .. } => panic!("not postgres"),
        }
    }

    #[test]
    fn parses_every_spelling_of_postgresql() {
        for scheme in [
            "postgres",
            "postgresql",
            "postgresql+asyncpg",
            "postgresql+psycopg2",
        ] {
            assert_eq!(
                postgres(&format!("{scheme}://u:p@h:5432/d")),
                "postgresql://u:p@h:5432/d"
            );
        }
        assert_eq!(
            postgres("postgres://u:p@h/d?sslmode=require"),
            "postgresql://u:p@h/d?sslmode=require"
        );
        assert_eq!(
            postgres("postgresql+asyncpg://u:p@h/d?ssl=require&pgbouncer=true"),
            "postgresql://u:p@h/d?sslmode=require"
        );
    }

    #[test]
    fn sqlite_paths_start_from_the_working_directory() {
        for (text, expected) in [
            ("sqlite://x.db", "/d/x.db"),
            ("sqlite:///a/x.db?mode=rwc", "/a/x.db"),
            ("sqlite:x.db", "/d/x.db"),
        ] {
            match DatabaseTarget::parse(&text.to_owned().into(), Path::new("/d")).unwrap() {
                DatabaseTarget::Sqlite { path } => assert_eq!(path, Path::new(expected)),
                DatabaseTarget::Postgres { .. } => panic!("not sqlite"),
            }
        }
    }

    #[test]
    fn rejects_other_databases_without_showing_the_url() {
        let error =
            DatabaseTarget::parse(&"mysql://u:hunter2@h/d".to_owned().into(), Path::new("/"))
                .unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(error, DatabaseUrlError::Scheme("mysql".to_owned()));
    }
}
