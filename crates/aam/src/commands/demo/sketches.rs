//! Evidence for renames: sketches of the values of removed columns, as the destination still has
//! them, and of added columns. The values themselves are not sent anywhere.

use std::collections::BTreeSet;
use std::path::Path;

use airbyte_protocol::StreamDescriptor;
use anyhow::Context as _;
use catalog::SyncCatalog;
use catalog::renames::{ColumnSketch, Sketch, Sketches};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::compare::{open, quoted};

/// Computes sketches for every selected stream whose columns changed.
pub(super) async fn of(
    catalog: &SyncCatalog,
    source: &Path,
    destination: &Path,
) -> anyhow::Result<Sketches> {
    // Random on every run and never disclosed.
    let salt = Uuid::new_v4();
    let mut source = open(source).await?;
    let mut destination = open(destination).await?;
    let mut sketches = Sketches::default();
    for entry in catalog.selected() {
        let stream = entry.descriptor();
        let was: BTreeSet<String> = entry.stream.columns().into_iter().collect();
        let is: BTreeSet<String> = columns(&mut source, &stream.name).await?;
        for column in was.difference(&is) {
            let sketch = sketch(&mut destination, &stream, column, salt.as_bytes()).await?;
            sketches.before.push(sketch);
        }
        for column in is.difference(&was) {
            let sketch = sketch(&mut source, &stream, column, salt.as_bytes()).await?;
            sketches.after.push(sketch);
        }
    }
    Ok(sketches)
}

async fn columns(
    connection: &mut SqliteConnection,
    table: &str,
) -> anyhow::Result<BTreeSet<String>> {
    let rows = sqlx::query("SELECT name FROM pragma_table_info(?)")
        .bind(table)
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn sketch(
    connection: &mut SqliteConnection,
    stream: &StreamDescriptor,
    column: &str,
    salt: &[u8],
) -> anyhow::Result<ColumnSketch> {
    let (table, name) = (quoted(&stream.name), quoted(column));
    let query =
        format!("SELECT DISTINCT CAST({name} AS TEXT) FROM {table} WHERE {name} IS NOT NULL");
    let values: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .with_context(|| format!("reading {column} of {stream}"))?;
    Ok(ColumnSketch {
        stream: stream.clone(),
        column: column.to_owned(),
        sketch: Sketch::of(salt, values.iter().map(String::as_str)),
    })
}
