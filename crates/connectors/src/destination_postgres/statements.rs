//! The SQL that writes a target's rows.

use super::target::{Dedup, Target};
use crate::postgres::{qualified, quoted};

/// Copies rows into a table.
pub(super) fn copy_in(target: &Target, table: &str) -> String {
    format!("COPY {table} ({}) FROM STDIN", target.list())
}

/// The table of a session's own that rows wait in until they are merged, or until a state covers
/// them.
pub(super) fn batch_table(position: usize) -> String {
    format!("pg_temp.\"_airbyte_batch_{position}\"")
}

/// Makes the table of [`batch_table`].
pub(super) fn create_batch_table(target: &Target, position: usize) -> String {
    let written = qualified(&target.schema, &target.written_name());
    let (batch, list) = (batch_table(position), target.list());
    // What waits for a state may wait for longer than a transaction.
    let rows = if target.covered { "PRESERVE" } else { "DELETE" };
    format!(
        "CREATE TEMPORARY TABLE {} ON COMMIT {rows} ROWS AS SELECT {list} FROM {written} WITH NO DATA",
        batch.trim_start_matches("pg_temp.")
    )
}

/// Merges the rows of one table into another: of each key the newest stays.
pub(super) fn merge(target: &Target, dedup: &Dedup, from: &str, into: &str) -> String {
    let list = target.list();
    let key = dedup.key.join(",");
    let sets: Vec<String> = target
        .all_columns()
        .map(|name| format!("{0}=excluded.{0}", quoted(name)))
        .collect();
    let newer = newer(dedup, "excluded.", "present.");
    format!(
        "INSERT INTO {into} AS present ({list}) SELECT DISTINCT ON ({key}) {list} FROM {from} \
         ORDER BY {key}, {} ON CONFLICT ({key}) DO UPDATE SET {} WHERE {newer}",
        newest_first(dedup, ""),
        sets.join(",")
    )
}

/// Copies all rows of one table into another.
pub(super) fn append(target: &Target, from: &str, into: &str) -> String {
    let list = target.list();
    format!("INSERT INTO {into} ({list}) SELECT {list} FROM {from}")
}

/// By cursor, by when it was extracted, by `tie`, by when it came: ids of a sync grow.
fn newest_first(dedup: &Dedup, tie: &str) -> String {
    let cursor = dedup.cursor.as_ref().map_or_else(String::new, |cursor| {
        format!("{} DESC NULLS LAST, ", cursor.sql(""))
    });
    format!("{cursor}\"_airbyte_extracted_at\" DESC, {tie}\"_airbyte_raw_id\" COLLATE \"C\" DESC")
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
         OR ({mine} IS NOT DISTINCT FROM {theirs} AND {later}))"
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

/// Deletes all but the newest row of each key; what this transaction wrote is newer than what was
/// there.
pub(super) fn deduplicate(dedup: &Dedup, table: &str, rows: Rows) -> String {
    let key = dedup.key.join(",");
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
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT place FROM (SELECT ctid AS place, \
         row_number() OVER (PARTITION BY {key} ORDER BY {}) AS age FROM {table}{condition}) AS aged \
         WHERE age > 1))",
        newest_first(dedup, "xmin = pg_current_xact_id()::xid DESC, ")
    )
}

/// Deletes the rows that are marked as deleted in the source.
pub(super) fn delete_deleted(column: &str, table: &str) -> String {
    format!("DELETE FROM {table} WHERE {} IS NOT NULL", quoted(column))
}
