//! A target and what was written of it: which of its rows a state covers, and where the others wait.

use sqlx::PgConnection;

use super::gatherer::Batch;
use super::statements::{
    Rows, append, batch_table, copy_in, create_batch_table, deduplicate, delete_deleted, merge,
};
use super::table::execute;
use super::target::Target;
use super::writer::within;
use crate::failure::Failure;
use crate::postgres::qualified;

/// A target of the writer.
pub(super) struct Written {
    pub(super) target: Target,
    position: usize,
    /// The table that its rows end up in, in SQL.
    table: String,
    /// Where rows wait to be merged, or to be covered by a state when they are many.
    batch_table: String,
    pub(super) complete: bool,
    /// Whether rows are there.
    waiting: bool,
    /// Whether the table of rows that wait for a state was made.
    made: bool,
    /// The latest rows, which wait for a state.
    pub(super) held: Option<Batch>,
    null_in_key: bool,
    deleted: bool,
}

impl Written {
    pub(super) fn new(target: Target, position: usize) -> Self {
        Self {
            position,
            table: qualified(&target.schema, &target.written_name()),
            batch_table: batch_table(position),
            target,
            complete: false,
            waiting: false,
            made: false,
            held: None,
            null_in_key: false,
            deleted: false,
        }
    }

    /// Copies rows to where they belong, or to where they wait to be merged.
    pub(super) async fn add(
        &mut self,
        connection: &mut PgConnection,
        batch: Batch,
    ) -> Result<(), Failure> {
        self.null_in_key |= batch.null_in_key;
        self.deleted |= batch.deleted;
        if self.target.dedup.is_some() {
            self.waiting = true;
            self.copy(connection, true, batch).await
        } else {
            self.copy(connection, false, batch).await
        }
    }

    /// Copies rows to where they wait for their state.
    pub(super) async fn spill(
        &mut self,
        connection: &mut PgConnection,
        batch: Batch,
    ) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.made, true) {
            execute(connection, create_batch_table(&self.target, self.position)).await?;
        }
        self.waiting = true;
        self.copy(connection, true, batch).await
    }

    /// Whether rows wait for a state.
    pub(super) fn waits_for_state(&self) -> bool {
        self.target.covered && (self.waiting || self.held.is_some())
    }

    /// A state covers the rows that wait: they belong to the stream now. How many it is known of.
    pub(super) async fn cover(&mut self, connection: &mut PgConnection) -> Result<usize, Failure> {
        if std::mem::take(&mut self.waiting) {
            let batch = &self.batch_table;
            let move_over = append(&self.target, batch, &self.table);
            let moving = execute(connection, format!("{move_over}; TRUNCATE {batch}"));
            within(moving)
                .await
                .map_err(|failure| failure.in_stream(&self.target.stream))?;
        }
        let Some(batch) = self.held.take() else {
            return Ok(0);
        };
        let rows = batch.rows;
        self.copy(connection, false, batch).await?;
        Ok(rows)
    }

    async fn copy(
        &self,
        connection: &mut PgConnection,
        waits: bool,
        batch: Batch,
    ) -> Result<(), Failure> {
        let table = if waits {
            &self.batch_table
        } else {
            &self.table
        };
        let statement = copy_in(&self.target, table);
        let copying = async {
            let mut copy = connection.copy_in_raw(&statement).await?;
            copy.send(batch.text).await?;
            copy.finish().await
        };
        let copied = within(async { copying.await.map_err(Failure::from) }).await;
        copied.map_err(|failure| failure.in_stream(&self.target.stream))?;
        Ok(())
    }

    /// Merges the rows that wait, and does what a merge alone does not: rows with a null in their
    /// key, rows that were deleted.
    pub(super) async fn settle(&mut self, connection: &mut PgConnection) -> Result<(), Failure> {
        let (Some(dedup), true) = (&self.target.dedup, self.waiting) else {
            return Ok(());
        };
        self.waiting = false;
        let table = &self.table;
        let merging = execute(
            connection,
            merge(&self.target, dedup, &self.batch_table, table),
        );
        merging
            .await
            .map_err(|f| f.in_stream(&self.target.stream))?;
        if std::mem::take(&mut self.null_in_key) {
            execute(connection, deduplicate(dedup, table, Rows::WithNullInKey)).await?;
        }
        if std::mem::take(&mut self.deleted)
            && let Some(position) = self.target.deleted_at
        {
            let column = &self.target.columns[position].name;
            execute(connection, delete_deleted(column, table)).await?;
        }
        Ok(())
    }
}
