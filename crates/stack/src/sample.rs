//! The sample database: OurAirports' countries, regions and navaids as SQLite tables with keys,
//! and an `updated_at` column to read them incrementally by.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

/// When the rows of the sample were last changed.
const UPDATED_AT: &str = "2026-01-01T00:00:00Z";

/// Rows per statement; SQLite takes at most 32,766 values.
const ROWS: usize = 500;

/// A table of the sample.
struct Table {
    name: &'static str,
    /// Names and declared types of its columns, as in the file, without `updated_at`.
    columns: &'static [(&'static str, &'static str)],
    csv: &'static str,
}

const TABLES: &[Table] = &[
    Table {
        name: "countries",
        columns: &[
            ("id", "INTEGER PRIMARY KEY"),
            ("code", "TEXT NOT NULL"),
            ("name", "TEXT NOT NULL"),
            ("continent", "TEXT"),
            ("wikipedia_link", "TEXT"),
            ("keywords", "TEXT"),
        ],
        csv: include_str!("../../../examples/ourairports/countries.csv"),
    },
    Table {
        name: "regions",
        columns: &[
            ("id", "INTEGER PRIMARY KEY"),
            ("code", "TEXT NOT NULL"),
            ("local_code", "TEXT"),
            ("name", "TEXT NOT NULL"),
            ("continent", "TEXT"),
            ("iso_country", "TEXT"),
        ],
        csv: include_str!("../../../examples/ourairports/regions.csv"),
    },
    Table {
        name: "navaids",
        columns: &[
            ("id", "INTEGER PRIMARY KEY"),
            ("ident", "TEXT NOT NULL"),
            ("name", "TEXT NOT NULL"),
            ("type", "TEXT"),
            ("frequency_khz", "INTEGER"),
            ("latitude_deg", "REAL"),
            ("longitude_deg", "REAL"),
            ("elevation_ft", "INTEGER"),
            ("iso_country", "TEXT"),
            ("usageType", "TEXT"),
            ("power", "TEXT"),
            ("associated_airport", "TEXT"),
        ],
        csv: include_str!("../../../examples/ourairports/navaids.csv"),
    },
];

/// Why the sample could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error("the sample database could not be written")]
    Database(#[from] sqlx::Error),
    /// The file could not be put in place.
    #[error("the sample database could not be put in place")]
    File(#[from] std::io::Error),
    /// The shipped data cannot be parsed.
    #[error("the shipped data cannot be parsed")]
    Data(#[from] csv::Error),
}

/// Makes the sample database at `path` unless it is there. It appears whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub async fn ensure(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension("db.new");
    let _ = std::fs::remove_file(&unfinished);
    let mut connection = SqliteConnectOptions::new()
        .filename(&unfinished)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Off)
        .connect()
        .await?;
    for table in TABLES {
        fill(&mut connection, table).await?;
    }
    connection.close().await?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

async fn fill(connection: &mut SqliteConnection, table: &Table) -> Result<(), Error> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind)| format!("\"{name}\" {kind}"))
        .chain(["updated_at TIMESTAMP NOT NULL".to_owned()])
        .collect();
    let create = format!("CREATE TABLE {} ({})", table.name, columns.join(", "));
    sqlx::raw_sql(sqlx::AssertSqlSafe(create))
        .execute(&mut *connection)
        .await?;
    let mut reader = csv::Reader::from_reader(table.csv.as_bytes());
    let rows = reader.records().collect::<Result<Vec<_>, _>>()?;
    let mut transaction = connection.begin().await?;
    for chunk in rows.chunks(ROWS) {
        let mut insert = sqlx::QueryBuilder::new(format!("INSERT INTO {} ", table.name));
        insert.push_values(chunk, |mut row, record| {
            for value in record {
                // The column's affinity turns text into the declared type.
                row.push_bind((!value.is_empty()).then_some(value));
            }
            row.push_bind(UPDATED_AT);
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
