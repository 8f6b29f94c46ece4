//! Compares source and destination cell by cell: every selected stream, every selected column and
//! every row, matched by key.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use catalog::{SyncCatalog, SyncStream};
use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

/// Result of comparing one stream.
pub(super) struct Compared {
    stream: String,
    rows: usize,
    columns: usize,
    pub(super) differences: u64,
    first: Option<String>,
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            stream,
            rows,
            columns,
            differences,
            first,
        } = self;
        write!(f, "{stream:<12} {rows:>6} rows x {columns:>2} columns: ")?;
        match first {
            None => f.write_str("equal"),
            Some(first) => write!(f, "{differences} cells differ, first {first}"),
        }
    }
}

type Rows = BTreeMap<String, Vec<Option<String>>>;

/// Compares every selected stream.
pub(super) async fn all(
    catalog: &SyncCatalog,
    source: &Path,
    destination: &Path,
) -> anyhow::Result<Vec<Compared>> {
    let mut source = open(source).await?;
    let mut destination = open(destination).await?;
    let mut all = Vec::new();
    for entry in catalog.selected() {
        let columns: Vec<String> = entry
            .stream
            .columns()
            .into_iter()
            .filter(|c| entry.config.copies(c))
            .collect();
        let key = key(entry)?;
        let there = |names: &[String]| -> Vec<String> {
            names.iter().map(|name| downstream(entry, name)).collect()
        };
        let (key_there, columns_there) = (there(&key), there(&columns));
        let here = rows(&mut source, &entry.stream.name, &key, &columns).await?;
        let there = rows(
            &mut destination,
            &entry.stream.name,
            &key_there,
            &columns_there,
        )
        .await?;
        all.push(compare(&entry.stream.name, &columns, &here, &there));
    }
    Ok(all)
}

/// Row counts per selected stream on both sides.
pub(super) async fn counts(
    catalog: &SyncCatalog,
    source: &Path,
    destination: &Path,
) -> anyhow::Result<Vec<(String, i64, i64)>> {
    let mut source = open(source).await?;
    let mut destination = open(destination).await?;
    let mut all = Vec::new();
    for entry in catalog.selected() {
        let count = format!("SELECT count(*) FROM {}", quoted(&entry.stream.name));
        let here = sqlx::query_scalar(AssertSqlSafe(count.clone()))
            .fetch_one(&mut source)
            .await?;
        let there = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut destination)
            .await?;
        all.push((entry.stream.name.clone(), here, there));
    }
    Ok(all)
}

pub(super) async fn open(path: &Path) -> anyhow::Result<SqliteConnection> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .connect()
        .await
        .with_context(|| format!("opening {}", path.display()))
}

/// The destination's name for a column. A mapper may keep the name from before a rename.
fn downstream(entry: &SyncStream, column: &str) -> String {
    let mappers = entry.config.mappers.0.iter();
    let renaming = mappers
        .filter(|mapper| mapper["type"] == "field-renaming")
        .map(|mapper| &mapper["mapperConfiguration"])
        .find(|renaming| renaming["originalFieldName"] == *column);
    let name = renaming.and_then(|renaming| renaming["newFieldName"].as_str());
    name.unwrap_or(column).to_owned()
}

/// The columns that identify a row; all of them if the stream has no key.
fn key(entry: &SyncStream) -> anyhow::Result<Vec<String>> {
    let parts = if entry.config.primary_key.is_empty() {
        &entry.stream.source_defined_primary_key
    } else {
        &entry.config.primary_key
    };
    let key: Vec<String> = parts
        .iter()
        .filter_map(|path| path.first().cloned())
        .collect();
    anyhow::ensure!(
        !key.is_empty(),
        "stream {} has no key to compare rows by",
        entry.stream.name
    );
    Ok(key)
}

/// Every row by its key, each cell as an SQLite literal, so that 1, 1.0 and '1' differ.
async fn rows(
    connection: &mut SqliteConnection,
    table: &str,
    key: &[String],
    columns: &[String],
) -> anyhow::Result<Rows> {
    let literal = |name: &String| format!("quote({})", quoted(name));
    let key: Vec<String> = key.iter().map(literal).collect();
    let cells: Vec<String> = columns.iter().map(literal).collect();
    let query = format!(
        "SELECT {}, {} FROM {}",
        key.join(" || '/' || "),
        cells.join(", "),
        quoted(table)
    );
    let found = sqlx::query(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .with_context(|| format!("reading {table}"))?;
    let mut rows = Rows::new();
    for row in &found {
        let cells = (1..=columns.len())
            .map(|at| row.get::<Option<String>, _>(at))
            .collect();
        let twice = rows.insert(row.get::<String, _>(0), cells);
        anyhow::ensure!(
            twice.is_none(),
            "{table} has two rows with key {}",
            row.get::<String, _>(0)
        );
    }
    Ok(rows)
}

fn compare(stream: &str, columns: &[String], here: &Rows, there: &Rows) -> Compared {
    let mut differences = 0;
    let mut first = None;
    let mut differ = |what: String, cells: u64| {
        differences += cells;
        first.get_or_insert(what);
    };
    for (key, cells) in here {
        let Some(others) = there.get(key) else {
            differ(
                format!("row {key} is missing in the destination"),
                columns.len() as u64,
            );
            continue;
        };
        for ((column, a), b) in columns.iter().zip(cells).zip(others) {
            if a != b && !same_instant(a.as_deref(), b.as_deref()) {
                let (a, b) = (
                    a.as_deref().unwrap_or("NULL"),
                    b.as_deref().unwrap_or("NULL"),
                );
                differ(
                    format!("{column} of row {key}: {a} in the source, {b} in the destination"),
                    1,
                );
            }
        }
    }
    for key in there.keys().filter(|key| !here.contains_key(*key)) {
        differ(
            format!("row {key} is missing in the source"),
            columns.len() as u64,
        );
    }
    let stream = stream.to_owned();
    Compared {
        stream,
        rows: here.len(),
        columns: columns.len(),
        differences,
        first,
    }
}

/// An instant can be written in more than one way.
fn same_instant(a: Option<&str>, b: Option<&str>) -> bool {
    match (a.and_then(instant), b.and_then(instant)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn instant(literal: &str) -> Option<DateTime<Utc>> {
    let text = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .ok()
        .or_else(|| {
            NaiveDateTime::parse_from_str(&text.replace('T', " "), "%Y-%m-%d %H:%M:%S%.f")
                .ok()
                .map(|time| time.and_utc())
        })
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[(&str, &[&str])]) -> Rows {
        cells
            .iter()
            .map(|(key, cells)| {
                (
                    (*key).to_owned(),
                    cells.iter().map(|cell| Some((*cell).to_owned())).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn finds_a_changed_cell_a_missing_row_and_an_extra_row() {
        let columns = ["id".to_owned(), "v".to_owned()];
        let here = rows(&[("1", &["1", "'a'"]), ("2", &["2", "'b'"])]);
        assert_eq!(compare("s", &columns, &here, &here).differences, 0);
        let other = rows(&[("1", &["1", "'x'"]), ("3", &["3", "'c'"])]);
        let compared = compare("s", &columns, &here, &other);
        assert_eq!(compared.differences, 1 + 2 + 2);
        assert!(
            compared
                .to_string()
                .contains("v of row 1: 'a' in the source, 'x'")
        );
    }

    #[test]
    fn distinguishes_a_number_from_its_text_but_not_two_spellings_of_an_instant() {
        let columns = ["v".to_owned()];
        let pair = |a: &str, b: &str| {
            compare("s", &columns, &rows(&[("1", &[a])]), &rows(&[("1", &[b])])).differences
        };
        assert_eq!(pair("1", "'1'"), 1);
        assert_eq!(pair("1", "1.0"), 1);
        assert_eq!(pair("'2026-01-01T00:00:00Z'", "'2026-01-01 00:00:00'"), 0);
        assert_eq!(pair("'2026-01-01T00:00:00Z'", "'2026-01-01T00:00:01Z'"), 1);
    }
}
