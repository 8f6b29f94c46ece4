//! A target and what was written of it: which of its rows a state covers, and where the others wait
//! when a transaction has to end before their state has come.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::records::Batch;
use super::statements::{
    Rows, bring_back, create_waiting, deduplicate, delete_deleted, insert, put_aside,
    rows_per_statement,
};
use super::table::execute;
use super::target::Target;
use super::writer::insert_rows;
use crate::failure::Failure;
use crate::sqlite::quoted;

/// A target of the writer.
pub(super) struct Written {
    pub(super) target: Target,
    table: String,
    /// The statement of a full batch.
    full: (usize, Arc<str>),
    pub(super) complete: bool,
    null_in_key: bool,
    deleted: bool,
    /// Whether rows go to the table of those that wait.
    pub(super) aside: bool,
    /// The last row that a state covers and the last one, by number, of the open transaction.
    numbers: Option<(i64, i64)>,
    row_number: Option<&'static str>,
}

impl Written {
    pub(super) fn new(target: Target) -> Self {
        let table = target.written_table();
        let rows = rows_per_statement(target.all_columns().count());
        let full = (rows, Arc::from(insert(&target, &quoted(&table), rows)));
        Self {
            row_number: target.row_number(),
            target,
            table,
            full,
            complete: false,
            null_in_key: false,
            deleted: false,
            aside: false,
            numbers: None,
        }
    }

    /// Whether the open transaction has rows of it that no state covers, though one has to.
    pub(super) fn has_uncovered(&self) -> bool {
        self.numbers.is_some_and(|(covered, last)| last > covered)
    }

    /// Inserts rows.
    pub(super) async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        batch: Batch,
    ) -> Result<(), Failure> {
        self.null_in_key |= batch.null_in_key;
        self.deleted |= batch.deleted;
        if self.target.covered && !self.aside && self.numbers.is_none() {
            self.begin_numbers(connection).await?;
        }
        let full = batch.rows == self.full.0 && !self.aside;
        let sql = match (full, self.aside) {
            (true, _) => Arc::clone(&self.full.1),
            (false, false) => Arc::from(insert(&self.target, &quoted(&self.table), batch.rows)),
            (false, true) => {
                let waiting = self.target.waiting_table();
                Arc::from(insert(&self.target, &waiting, batch.rows))
            }
        };
        let done = sqlx::query_with(AssertSqlSafe(sql), batch.arguments)
            .persistent(full)
            .execute(connection)
            .await
            .map_err(|e| Failure::from(e).in_stream(&self.target.stream))?;
        if let Some((_, last)) = self.numbers.as_mut().filter(|_| !self.aside) {
            *last = done.last_insert_rowid();
        }
        Ok(())
    }

    /// Notes where the rows of this transaction begin. Rows whose numbers have no name left wait
    /// in their own table from the start.
    async fn begin_numbers(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let Some(number) = self.row_number else {
            execute(connection, create_waiting(&self.target, &self.table)).await?;
            self.aside = true;
            return Ok(());
        };
        let sql = format!(
            "SELECT coalesce(max({number}), 0) FROM {}",
            quoted(&self.table)
        );
        let last: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(connection)
            .await?;
        self.numbers = Some((last, last));
        Ok(())
    }

    /// A state covers all rows so far. Needs an open transaction where rows wait.
    pub(super) async fn cover(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        if std::mem::take(&mut self.aside) {
            let [insert, delete] = bring_back(&self.target, &self.table);
            let (rows, last) = insert_rows(connection, insert).await?;
            execute(connection, delete).await?;
            if rows > 0 {
                self.numbers = Some((last, last));
            }
        }
        if let Some((covered, last)) = &mut self.numbers {
            *covered = *last;
        }
        Ok(())
    }

    /// The transaction ends: rows that no state covers leave it.
    pub(super) async fn put_aside(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), Failure> {
        let Some((covered, last)) = self.numbers.take() else {
            return Ok(());
        };
        let Some(number) = self.row_number.filter(|_| last > covered) else {
            return Ok(());
        };
        execute(connection, create_waiting(&self.target, &self.table)).await?;
        for sql in put_aside(&self.target, &self.table, number, covered) {
            execute(connection, sql).await?;
        }
        self.aside = true;
        Ok(())
    }

    /// What an insert alone does not do: rows with a null in their key, rows that were deleted.
    pub(super) async fn settle(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), Failure> {
        let Some(dedup) = &self.target.dedup else {
            return Ok(());
        };
        if std::mem::take(&mut self.null_in_key) {
            let sql = deduplicate(dedup, &self.table, Rows::WithNullInKey);
            execute(connection, sql).await?;
        }
        if std::mem::take(&mut self.deleted)
            && let Some(position) = self.target.deleted_at
        {
            let column = &self.target.columns[position].name;
            execute(connection, delete_deleted(column, &self.table)).await?;
        }
        Ok(())
    }
}
