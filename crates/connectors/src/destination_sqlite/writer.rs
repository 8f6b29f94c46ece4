//! Writing batches in transactions that end where states do, and echoing those states only then.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tokio::sync::mpsc::Receiver;

use super::records::Batch;
use super::statements::{Rows, deduplicate, delete_deleted, insert, rows_per_statement};
use super::table::{conclude, execute};
use super::target::Target;
use crate::destination::Command;
use crate::failure::Failure;
use crate::output::Output;

/// Rows after which states are no longer gathered into one commit.
const GATHERED_ROWS: usize = 10_000;

/// Rows after which a transaction ends even without a state.
const UNCOMMITTED_ROWS: usize = 100_000;

/// How long a transaction stays open without input: other syncs write the same file.
const IDLE: Duration = Duration::from_secs(2);

/// The one writer of the database during a sync.
pub(super) struct Writer<'a> {
    connection: SqliteConnection,
    targets: Vec<Written>,
    output: &'a mut Output,
    /// Whether a transaction is open.
    open: bool,
    uncommitted: usize,
    /// Lines to echo after the next commit.
    states: Vec<String>,
}

/// A target and what was seen of it.
struct Written {
    target: Target,
    table: String,
    /// The statement of a full batch.
    full: (usize, Arc<str>),
    complete: bool,
    null_in_key: bool,
    deleted: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        connection: SqliteConnection,
        targets: Vec<Target>,
        output: &'a mut Output,
    ) -> Self {
        let written = |target: Target| {
            let table = target.written_table();
            let rows = rows_per_statement(target.all_columns().count());
            let full = (rows, Arc::from(insert(&target, &table, rows)));
            Written {
                target,
                table,
                full,
                complete: false,
                null_in_key: false,
                deleted: false,
            }
        };
        Self {
            connection,
            targets: targets.into_iter().map(written).collect(),
            output,
            open: false,
            uncommitted: 0,
            states: Vec::new(),
        }
    }

    /// Carries out commands until there are no more.
    pub(super) async fn consume(
        &mut self,
        mut commands: Receiver<Command<Batch>>,
    ) -> Result<(), Failure> {
        loop {
            let command = if self.open {
                match tokio::time::timeout(IDLE, commands.recv()).await {
                    Ok(command) => command,
                    Err(_elapsed) => {
                        self.commit().await?;
                        continue;
                    }
                }
            } else {
                commands.recv().await
            };
            match command {
                None => return Ok(()),
                Some(Command::Rows(position, batch)) => self.rows(position, batch).await?,
                Some(Command::State(_, line)) => self.states.push(line),
                Some(Command::Complete(position)) => self.targets[position].complete = true,
            }
            let acknowledge = !self.states.is_empty()
                && (commands.is_empty() || self.uncommitted >= GATHERED_ROWS);
            if acknowledge || self.uncommitted >= UNCOMMITTED_ROWS {
                self.commit().await?;
            }
        }
    }

    async fn rows(&mut self, position: usize, batch: Batch) -> Result<(), Failure> {
        if !self.open {
            execute(&mut self.connection, "BEGIN IMMEDIATE").await?;
            self.open = true;
        }
        let written = &mut self.targets[position];
        written.null_in_key |= batch.null_in_key;
        written.deleted |= batch.deleted;
        let full = batch.rows == written.full.0;
        let sql = if full {
            Arc::clone(&written.full.1)
        } else {
            Arc::from(insert(&written.target, &written.table, batch.rows))
        };
        self.uncommitted += batch.rows;
        sqlx::query_with(AssertSqlSafe(sql), batch.arguments)
            .persistent(full)
            .execute(&mut self.connection)
            .await
            .map_err(|e| Failure::from(e).in_stream(&written.target.stream))?;
        Ok(())
    }

    /// Commits what was written, then echoes the states that it covers.
    async fn commit(&mut self) -> Result<(), Failure> {
        if self.open {
            self.settle().await?;
            execute(&mut self.connection, "COMMIT").await?;
            self.open = false;
            self.uncommitted = 0;
        }
        for line in self.states.drain(..) {
            self.output.lines(line.as_bytes())?;
        }
        self.output.flush()
    }

    /// What an insert alone does not do: rows with a null in their key, rows that were deleted.
    async fn settle(&mut self) -> Result<(), Failure> {
        for written in &mut self.targets {
            let Some(dedup) = &written.target.dedup else {
                continue;
            };
            if std::mem::take(&mut written.null_in_key) {
                let sql = deduplicate(dedup, &written.table, Rows::WithNullInKey);
                execute(&mut self.connection, sql).await?;
            }
            if std::mem::take(&mut written.deleted)
                && let Some(position) = written.target.deleted_at
            {
                let column = &written.target.columns[position].name;
                execute(&mut self.connection, delete_deleted(column, &written.table)).await?;
            }
        }
        Ok(())
    }

    /// The input failed: what no state covers is undone.
    pub(super) async fn abandon(mut self) -> Result<(), Failure> {
        if self.open {
            execute(&mut self.connection, "ROLLBACK").await?;
        }
        Ok(self.connection.close().await?)
    }

    /// Commits the rest and replaces the tables of completed streams. Without generations there
    /// is no word of completion to wait for.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        self.commit().await?;
        for written in &self.targets {
            let target = &written.target;
            let ends_older = target.replaces || target.drops_older;
            if !ends_older || !(written.complete || target.generation.is_none()) {
                continue;
            }
            execute(&mut self.connection, "BEGIN IMMEDIATE").await?;
            let concluded = conclude(&mut self.connection, target).await;
            if let Err(failure) = concluded {
                execute(&mut self.connection, "ROLLBACK").await?;
                return Err(failure.in_stream(&target.stream));
            }
            execute(&mut self.connection, "COMMIT").await?;
        }
        Ok(self.connection.close().await?)
    }
}
