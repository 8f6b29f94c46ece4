//! Writing batches in transactions that end where states do, and echoing those states only then.
//! With a ledger the states are part of the transaction.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc::Receiver;

use super::gatherer::Batch;
use super::ledger::Ledger;
use super::replace::conclude;
use super::statements::{
    Rows, append, batch_table, copy_in, create_batch_table, deduplicate, delete_deleted, merge,
};
use super::table::execute;
use super::target::Target;
use crate::destination::{Command, State, key};
use crate::failure::Failure;
use crate::output::Output;
use crate::postgres::qualified;

/// Rows after which states are no longer gathered into one commit.
const GATHERED_ROWS: usize = 50_000;

/// Rows after which a transaction ends even without a state.
const UNCOMMITTED_ROWS: usize = 500_000;

/// How long a transaction stays open without input: it holds locks, and keeps the server from
/// cleaning up.
const IDLE: Duration = Duration::from_secs(5);

/// How long the server may take for one command.
const COMMAND_MAX: Duration = Duration::from_secs(2 * 3600);

/// The writer of a sync.
pub(super) struct Writer<'a> {
    connection: PgConnection,
    targets: Vec<Written>,
    ledger: Option<Ledger>,
    output: &'a mut Output,
    /// Whether a transaction is open.
    open: bool,
    uncommitted: usize,
    /// To be echoed after the next commit.
    states: Vec<State>,
}

/// A target and what was seen of it.
struct Written {
    target: Target,
    /// The table that its rows end up in, in SQL.
    table: String,
    /// Where they wait to be merged, or to be covered by a state.
    batch_table: Option<String>,
    copy: String,
    complete: bool,
    waiting: bool,
    null_in_key: bool,
    deleted: bool,
}

impl<'a> Writer<'a> {
    pub(super) async fn new(
        mut connection: PgConnection,
        targets: Vec<Target>,
        ledger: Option<Ledger>,
        output: &'a mut Output,
    ) -> Result<Self, Failure> {
        let mut written = Vec::with_capacity(targets.len());
        for (position, target) in targets.into_iter().enumerate() {
            let table = qualified(&target.schema, &target.written_name());
            let waits = target.dedup.is_some() || target.covered;
            let batch_table = waits.then(|| batch_table(position));
            if batch_table.is_some() {
                execute(&mut connection, create_batch_table(&target, position)).await?;
            }
            written.push(Written {
                copy: copy_in(&target, batch_table.as_deref().unwrap_or(&table)),
                target,
                table,
                batch_table,
                complete: false,
                waiting: false,
                null_in_key: false,
                deleted: false,
            });
        }
        Ok(Self {
            connection,
            targets: written,
            ledger,
            output,
            open: false,
            uncommitted: 0,
            states: Vec::new(),
        })
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
                Some(Command::State(position, state)) => {
                    self.cover(position).await?;
                    self.states.push(state);
                }
                Some(Command::Complete(position)) => self.targets[position].complete = true,
            }
            let acknowledge = !self.states.is_empty()
                && (commands.is_empty() || self.uncommitted >= GATHERED_ROWS);
            if acknowledge || self.uncommitted >= UNCOMMITTED_ROWS {
                self.commit().await?;
            }
        }
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        if !self.open {
            execute(&mut self.connection, "BEGIN").await?;
            self.open = true;
        }
        Ok(())
    }

    /// A state covers what came before it: what waited for it belongs to the stream now.
    async fn cover(&mut self, position: Option<usize>) -> Result<(), Failure> {
        let all = 0..self.targets.len();
        for position in position.map_or(all, |one| one..one + 1) {
            let written = &self.targets[position];
            if !written.target.covered || !written.waiting {
                continue;
            }
            self.begin().await?;
            let written = &mut self.targets[position];
            written.waiting = false;
            if let Some(batch) = &written.batch_table {
                let move_over = append(&written.target, batch, &written.table);
                let moving = execute(
                    &mut self.connection,
                    format!("{move_over}; TRUNCATE {batch}"),
                );
                within(moving)
                    .await
                    .map_err(|failure| failure.in_stream(&written.target.stream))?;
            }
        }
        Ok(())
    }

    async fn rows(&mut self, position: usize, batch: Batch) -> Result<(), Failure> {
        self.begin().await?;
        let written = &mut self.targets[position];
        written.waiting = true;
        written.null_in_key |= batch.null_in_key;
        written.deleted |= batch.deleted;
        self.uncommitted += batch.rows;
        let connection = &mut self.connection;
        let copying = async {
            let mut copy = connection.copy_in_raw(&written.copy).await?;
            copy.send(batch.text).await?;
            copy.finish().await
        };
        let copied = within(async { copying.await.map_err(Failure::from) }).await;
        copied.map_err(|failure| failure.in_stream(&written.target.stream))?;
        Ok(())
    }

    /// Commits what was written, then echoes the states that it covers.
    async fn commit(&mut self) -> Result<(), Failure> {
        if self.ledger.is_some() && !self.states.is_empty() {
            self.begin().await?;
        }
        if self.open {
            within(settle(&mut self.connection, &mut self.targets)).await?;
            if let Some(ledger) = self.ledger.as_ref().filter(|_| !self.states.is_empty()) {
                within(ledger.store(&mut self.connection, &self.states)).await?;
            }
            within(execute(&mut self.connection, "COMMIT")).await?;
            self.open = false;
            self.uncommitted = 0;
        }
        for state in self.states.drain(..) {
            self.output.lines(state.echo.as_bytes())?;
        }
        self.output.flush()
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
            let concludes = target.replaces || target.drops_older || target.adds;
            if !concludes || !(written.complete || target.generation.is_none()) {
                continue;
            }
            let (connection, ledger) = (&mut self.connection, self.ledger.as_ref());
            let concluding = async {
                execute(connection, "BEGIN").await?;
                ended(connection, target, ledger).await?;
                execute(connection, "COMMIT").await
            };
            within(concluding)
                .await
                .map_err(|failure| failure.in_stream(&target.stream))?;
        }
        Ok(self.connection.close().await?)
    }
}

/// Concludes a completed stream within the open transaction.
async fn ended(
    connection: &mut PgConnection,
    target: &Target,
    ledger: Option<&Ledger>,
) -> Result<(), Failure> {
    let Some(ledger) = ledger else {
        return conclude(connection, target, false).await;
    };
    ledger.check(connection).await?;
    let stream = key(&target.stream);
    let added = ledger.committed.has_added(&stream, target.sync_id);
    conclude(connection, target, added).await?;
    if target.adds {
        ledger.add(connection, &stream, target.sync_id).await?;
    }
    Ok(())
}

/// Merges the rows that wait, and does what a merge alone does not: rows with a null in their key,
/// rows that were deleted.
async fn settle(connection: &mut PgConnection, targets: &mut [Written]) -> Result<(), Failure> {
    for written in targets {
        let (Some(dedup), Some(batch)) = (&written.target.dedup, &written.batch_table) else {
            continue;
        };
        if !std::mem::take(&mut written.waiting) {
            continue;
        }
        let table = &written.table;
        let merging = execute(connection, merge(&written.target, dedup, batch, table));
        merging
            .await
            .map_err(|f| f.in_stream(&written.target.stream))?;
        if std::mem::take(&mut written.null_in_key) {
            execute(connection, deduplicate(dedup, table, Rows::WithNullInKey)).await?;
        }
        if std::mem::take(&mut written.deleted)
            && let Some(position) = written.target.deleted_at
        {
            let column = &written.target.columns[position].name;
            execute(connection, delete_deleted(column, table)).await?;
        }
    }
    Ok(())
}

async fn within<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout(COMMAND_MAX, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Failure::transient("the server does not answer any more")),
    }
}
