//! Writing batches in transactions that end where states do, and echoing those states only then.
//! With a ledger the states are part of the transaction.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tokio::sync::mpsc::Receiver;

use super::ledger::Ledger;
use super::records::Batch;
use super::table::{conclude, execute};
use super::target::Target;
use super::written::Written;
use crate::destination::{Command, State, key};
use crate::failure::Failure;
use crate::output::Output;

/// Rows after which states are no longer gathered into one commit.
const GATHERED_ROWS: usize = 10_000;

/// Rows after which a transaction ends even without a state.
const UNCOMMITTED_ROWS: usize = 100_000;

/// How long a transaction stays open without input: other syncs write the same file.
const IDLE: Duration = Duration::from_secs(2);

/// How long a state waits for the next one, where rows that no state covers came after it.
const STATE_IDLE: Duration = Duration::from_millis(200);

/// The one writer of the database during a sync.
pub(super) struct Writer<'a> {
    connection: SqliteConnection,
    targets: Vec<Written>,
    ledger: Option<Ledger>,
    output: &'a mut Output,
    /// Whether a transaction is open.
    open: bool,
    uncommitted: usize,
    /// To be echoed after the next commit.
    states: Vec<State>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        connection: SqliteConnection,
        targets: Vec<Target>,
        ledger: Option<Ledger>,
        output: &'a mut Output,
    ) -> Self {
        Self {
            connection,
            targets: targets.into_iter().map(Written::new).collect(),
            ledger,
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
            let idle = match (self.open, self.states.is_empty()) {
                (_, false) => Some(STATE_IDLE),
                (true, true) => Some(IDLE),
                (false, true) => None,
            };
            let command = match idle {
                None => commands.recv().await,
                Some(idle) => match tokio::time::timeout(idle, commands.recv()).await {
                    Ok(command) => command,
                    Err(_elapsed) => {
                        self.commit().await?;
                        continue;
                    }
                },
            };
            // Where a state was the last to come, nothing uncovered has to be put aside.
            let mut at_state = false;
            match command {
                None => return Ok(()),
                Some(Command::Rows(position, batch)) => self.rows(position, batch).await?,
                Some(Command::State(position, state)) => {
                    self.cover(position).await?;
                    self.states.push(state);
                    at_state = true;
                }
                Some(Command::Complete(position)) => self.targets[position].complete = true,
            }
            let acknowledge = !self.states.is_empty()
                && (commands.is_empty() || self.uncommitted >= GATHERED_ROWS)
                && (at_state || !self.targets.iter().any(Written::has_uncovered));
            if acknowledge || self.uncommitted >= UNCOMMITTED_ROWS {
                self.commit().await?;
            }
        }
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        if !self.open {
            execute(&mut self.connection, "BEGIN IMMEDIATE").await?;
            self.open = true;
        }
        Ok(())
    }

    async fn rows(&mut self, position: usize, batch: Batch) -> Result<(), Failure> {
        if !self.targets[position].aside {
            self.begin().await?;
            self.uncommitted += batch.rows;
        }
        let written = &mut self.targets[position];
        written.add(&mut self.connection, batch).await
    }

    /// A state covers what came before it: what waited for it belongs to the stream now.
    async fn cover(&mut self, position: Option<usize>) -> Result<(), Failure> {
        let all = 0..self.targets.len();
        for position in position.map_or(all, |one| one..one + 1) {
            if self.targets[position].aside {
                self.begin().await?;
            }
            self.targets[position].cover(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Commits what was written, then echoes the states that it covers.
    async fn commit(&mut self) -> Result<(), Failure> {
        if self.ledger.is_some() && !self.states.is_empty() {
            self.begin().await?;
        }
        if self.open {
            for written in &mut self.targets {
                written.put_aside(&mut self.connection).await?;
                written.settle(&mut self.connection).await?;
            }
            if let Some(ledger) = self.ledger.as_ref().filter(|_| !self.states.is_empty()) {
                ledger.store(&mut self.connection, &self.states).await?;
            }
            execute(&mut self.connection, "COMMIT").await?;
            self.open = false;
            self.uncommitted = 0;
        }
        for state in self.states.drain(..) {
            self.output.lines(state.echo.as_bytes())?;
        }
        self.output.flush()
    }

    /// The input failed: what no state covers is rolled back.
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
            execute(&mut self.connection, "BEGIN IMMEDIATE").await?;
            let ledger = self.ledger.as_ref();
            if let Err(failure) = ended(&mut self.connection, target, ledger).await {
                execute(&mut self.connection, "ROLLBACK").await?;
                return Err(failure.in_stream(&target.stream));
            }
            execute(&mut self.connection, "COMMIT").await?;
        }
        Ok(self.connection.close().await?)
    }
}

/// Concludes a completed stream within the open transaction.
async fn ended(
    connection: &mut SqliteConnection,
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

/// Runs a statement and answers the number of the row that it inserted last.
pub(super) async fn insert_rows(
    connection: &mut SqliteConnection,
    sql: String,
) -> Result<(u64, i64), Failure> {
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let done = query.execute(connection).await?;
    Ok((done.rows_affected(), done.last_insert_rowid()))
}
