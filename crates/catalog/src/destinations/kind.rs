//! The known kinds of destinations, and their names.

use serde::{Deserialize, Serialize};

/// The kind of a connection's destination.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DestinationKind {
    /// PostgreSQL.
    Postgres,
    /// A SQLite file.
    Sqlite,
    /// Parquet files.
    Parquet,
    /// DuckDB, or MotherDuck.
    Duckdb,
    /// Snowflake.
    Snowflake,
    /// BigQuery.
    Bigquery,
    /// Amazon Redshift.
    Redshift,
    /// Any other: the conservative answer to every question.
    #[default]
    Unknown,
}

/// A word that is not a kind of destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of destination {0:?}; expected one of {words}", words = DestinationKind::words())]
pub struct UnknownKind(pub String);

impl DestinationKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Postgres,
        Self::Sqlite,
        Self::Parquet,
        Self::Duckdb,
        Self::Snowflake,
        Self::Bigquery,
        Self::Redshift,
        Self::Unknown,
    ];

    /// The kind of a connector by its definition's name or its image, for example
    /// `airbyte/destination-postgres:2.1`, including the embedded Airbyte's destination `local`.
    pub fn of(connector_name: &str) -> Self {
        let name = connector_name.trim().to_lowercase();
        let image = name.rsplit('/').next().unwrap_or_default();
        let untagged = image.split([':', '@']).next().unwrap_or_default().trim();
        let bare = untagged.strip_prefix("destination-").unwrap_or(untagged);
        match bare.strip_suffix("-strict-encrypt").unwrap_or(bare) {
            "postgres" | "postgresql" => Self::Postgres,
            "sqlite" | "local sqlite" | "local" => Self::Sqlite,
            "parquet" => Self::Parquet,
            "duckdb" | "motherduck" => Self::Duckdb,
            "snowflake" => Self::Snowflake,
            "bigquery" => Self::Bigquery,
            "redshift" | "amazon redshift" => Self::Redshift,
            _ => Self::Unknown,
        }
    }

    /// The keyword of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::Parquet => "parquet",
            Self::Duckdb => "duckdb",
            Self::Snowflake => "snowflake",
            Self::Bigquery => "bigquery",
            Self::Redshift => "redshift",
            Self::Unknown => "unknown",
        }
    }

    fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl std::fmt::Display for DestinationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for DestinationKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        known.ok_or_else(|| UnknownKind(word.to_owned()))
    }
}
