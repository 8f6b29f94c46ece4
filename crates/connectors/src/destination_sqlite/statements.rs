//! The SQL that writes a target's rows.

use super::target::{Dedup, Target};
use crate::sqlite::quoted;

/// SQLite's limit of parameters in one statement.
const PARAMETERS_MAX: usize = 32_766;

/// Rows of a full statement: more gain nothing, and a source's checkpoints are a multiple of it.
const ROWS_MAX: usize = 500;

/// Rows of a full statement of so many columns.
pub(super) fn rows_per_statement(columns: usize) -> usize {
    (PARAMETERS_MAX / columns.max(1)).clamp(1, ROWS_MAX)
}

/// Inserts so many rows into a table, in SQL; with a key, a row that is there gives way to a newer
/// one.
pub(super) fn insert(target: &Target, table: &str, rows: usize) -> String {
    let names: Vec<String> = target.all_columns().map(quoted).collect();
    let row = format!("({})", vec!["?"; names.len()].join(","));
    let mut sql = format!("INSERT INTO {table} ({}) VALUES ", names.join(","));
    for index in 0..rows {
        if index > 0 {
            sql.push(',');
        }
        sql.push_str(&row);
    }
    if let Some(dedup) = &target.dedup {
        sql.push_str(&upsert(dedup, table, &names));
    }
    sql
}

/// Makes the table of rows that wait for their state.
pub(super) fn create_waiting(target: &Target, written: &str) -> String {
    let (waiting, list) = (target.waiting_table(), list(target));
    let written = quoted(written);
    format!("CREATE TEMP TABLE IF NOT EXISTS {waiting} AS SELECT {list} FROM {written} WHERE false")
}

/// Moves the rows behind a number out of the written table.
pub(super) fn put_aside(target: &Target, written: &str, number: &str, last: i64) -> [String; 2] {
    let (waiting, list, written) = (target.waiting_table(), list(target), quoted(written));
    let rows = format!("FROM {written} WHERE {number} > {last}");
    [
        format!("INSERT INTO {waiting} ({list}) SELECT {list} {rows} ORDER BY {number}"),
        format!("DELETE {rows}"),
    ]
}

/// Moves the rows that waited into the written table.
pub(super) fn bring_back(target: &Target, written: &str) -> [String; 2] {
    let (waiting, list, written) = (target.waiting_table(), list(target), quoted(written));
    [
        format!("INSERT INTO {written} ({list}) SELECT {list} FROM {waiting}"),
        format!("DELETE FROM {waiting}"),
    ]
}

fn list(target: &Target) -> String {
    let names: Vec<String> = target.all_columns().map(quoted).collect();
    names.join(",")
}

/// Copies all rows of one table into another, as [`insert`] would write them.
pub(super) fn copy(target: &Target, from: &str, into: &str) -> String {
    let names: Vec<String> = target.all_columns().map(quoted).collect();
    let list = names.join(",");
    let tail = target
        .dedup
        .as_ref()
        .map_or_else(String::new, |dedup| upsert(dedup, &quoted(into), &names));
    // Without a WHERE the parser would take ON for that of a join.
    format!(
        "INSERT INTO {} ({list}) SELECT {list} FROM {} WHERE true{tail}",
        quoted(into),
        quoted(from)
    )
}

fn upsert(dedup: &Dedup, table: &str, names: &[String]) -> String {
    let sets: Vec<String> = names
        .iter()
        .map(|name| format!("{name}=excluded.{name}"))
        .collect();
    let key = dedup.key.join(",");
    let newer = newer(dedup, "excluded.", &format!("{table}."));
    format!(
        " ON CONFLICT ({key}) DO UPDATE SET {} WHERE {newer}",
        sets.join(",")
    )
}

/// Whether row `a` is to replace row `b`: by cursor, then by when it was extracted. A row with a
/// cursor is newer than one without.
fn newer(dedup: &Dedup, a: &str, b: &str) -> String {
    let later = format!("{a}\"_airbyte_extracted_at\" >= {b}\"_airbyte_extracted_at\"");
    let Some(cursor) = &dedup.cursor else {
        return later;
    };
    let (mine, theirs) = (cursor.sql(a), cursor.sql(b));
    format!(
        "(({theirs} IS NULL AND {mine} IS NOT NULL) OR {mine} > {theirs} \
         OR ({mine} IS {theirs} AND {later}))"
    )
}

/// Which rows [`deduplicate`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// All of them.
    All,
    /// Those with a null in their key: the unique index takes no two of them for the same.
    WithNullInKey,
}

/// Deletes all but the newest row of each key.
pub(super) fn deduplicate(dedup: &Dedup, table: &str, rows: Rows) -> String {
    let table = quoted(table);
    let key = dedup.key.join(",");
    let cursor = dedup.cursor.as_ref().map_or_else(String::new, |cursor| {
        let cursor = cursor.sql("");
        format!("{cursor} IS NULL, {cursor} DESC, ")
    });
    let nulls: Vec<String> = dedup
        .key
        .iter()
        .map(|part| format!("{part} IS NULL"))
        .collect();
    let condition = match rows {
        Rows::All => String::new(),
        Rows::WithNullInKey => format!(" WHERE {}", nulls.join(" OR ")),
    };
    format!(
        "DELETE FROM {table} WHERE rowid IN (SELECT row FROM (SELECT rowid AS row, row_number() \
         OVER (PARTITION BY {key} ORDER BY {cursor}\"_airbyte_extracted_at\" DESC, rowid DESC) \
         AS age FROM {table}{condition}) WHERE age > 1)"
    )
}

/// Deletes the rows that are marked as deleted in the source.
pub(super) fn delete_deleted(column: &str, table: &str) -> String {
    format!(
        "DELETE FROM {} WHERE {} IS NOT NULL",
        quoted(table),
        quoted(column)
    )
}
