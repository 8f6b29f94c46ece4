//! The changes to the source between two syncs: two columns renamed (one of them a primary key),
//! one dropped, one added, a table added, rows inserted and updated. DDL touches no rows; rows that
//! are written have a new `updated_at`.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

const STATEMENTS: &[&str] = &[
    "ALTER TABLE navaids RENAME COLUMN frequency_khz TO frequency",
    "ALTER TABLE regions RENAME COLUMN id TO region_id",
    "ALTER TABLE countries DROP COLUMN wikipedia_link",
    "ALTER TABLE regions ADD COLUMN population INTEGER",
    "CREATE TABLE continents (id INTEGER PRIMARY KEY, code TEXT NOT NULL, name TEXT NOT NULL, updated_at TIMESTAMP NOT NULL)",
    "INSERT INTO continents VALUES (1, 'AF', 'Africa', '2026-02-01T00:00:00Z'), (2, 'AN', 'Antarctica', '2026-02-01T00:00:00Z'), (3, 'AS', 'Asia', '2026-02-01T00:00:00Z'), (4, 'EU', 'Europe', '2026-02-01T00:00:00Z'), (5, 'NA', 'North America', '2026-02-01T00:00:00Z'), (6, 'OC', 'Oceania', '2026-02-01T00:00:00Z'), (7, 'SA', 'South America', '2026-02-01T00:00:00Z')",
    "UPDATE regions SET population = 22873, updated_at = '2026-02-01T00:00:00Z' WHERE code = 'AD-07'",
    "UPDATE countries SET name = 'Türkiye', updated_at = '2026-02-01T00:00:00Z' WHERE code = 'TR'",
    "INSERT INTO navaids (id, ident, name, type, frequency, iso_country, updated_at) VALUES (900001, 'AAM', 'Demo', 'NDB', 400, 'DE', '2026-02-01T00:00:00Z')",
];

/// Changes the source and returns the statements that were run.
pub(super) async fn apply(source: &Path) -> anyhow::Result<&'static [&'static str]> {
    let mut connection = SqliteConnectOptions::new()
        .filename(source)
        .connect()
        .await?;
    for statement in STATEMENTS {
        sqlx::raw_sql(*statement).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(STATEMENTS)
}
