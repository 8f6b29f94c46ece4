//! Writing batches in transactions that end where states do, and echoing those states only then.
//! With a ledger the states are part of the transaction.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc::Receiver;

use super::gatherer::Batch;
use super::ledger::Ledger;
use super::replace::conclude;
use super::statements::create_batch_table;
use super::table::execute;
use super::target::Target;
use super::written::Written;
use crate::destination::{Command, State, key};
use crate::failure::Failure;
use crate::output::Output;

/// Rows after which states are no longer gathered into one commit.
const GATHERED_ROWS: usize = 50_000;

/// How long a state waits at most for others to be committed with it.
const GATHERED_FOR: Duration = Duration::from_millis(200);

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
    /// Since when the first of them waits.
    since: Option<Instant>,
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
            if target.dedup.is_some() {
                execute(&mut connection, create_batch_table(&target, position)).await?;
            }
            written.push(Written::new(target, position));
        }
        Ok(Self {
            connection,
            targets: written,
            ledger,
            output,
            open: false,
            uncommitted: 0,
            states: Vec::new(),
            since: None,
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
                    self.since.get_or_insert_with(Instant::now);
                }
                Some(Command::Complete(position)) => self.targets[position].complete = true,
            }
            let acknowledge = !self.states.is_empty()
                && (commands.is_empty()
                    || self.uncommitted >= GATHERED_ROWS
                    || self
                        .since
                        .is_some_and(|since| since.elapsed() >= GATHERED_FOR));
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
            if self.targets[position].waits_for_state() {
                self.begin().await?;
                let written = &mut self.targets[position];
                self.uncommitted += written.cover(&mut self.connection).await?;
            }
        }
        Ok(())
    }

    async fn rows(&mut self, position: usize, batch: Batch) -> Result<(), Failure> {
        if self.targets[position].target.covered {
            // The next command is most often the state that covers it.
            let Some(before) = self.targets[position].held.replace(batch) else {
                return Ok(());
            };
            self.begin().await?;
            let written = &mut self.targets[position];
            return written.spill(&mut self.connection, before).await;
        }
        self.begin().await?;
        self.uncommitted += batch.rows;
        let written = &mut self.targets[position];
        written.add(&mut self.connection, batch).await
    }

    /// Commits what was written, then echoes the states that it covers.
    async fn commit(&mut self) -> Result<(), Failure> {
        if self.ledger.is_some() && !self.states.is_empty() {
            self.begin().await?;
        }
        if self.open {
            for written in &mut self.targets {
                within(written.settle(&mut self.connection)).await?;
            }
            if let Some(ledger) = self.ledger.as_ref().filter(|_| !self.states.is_empty()) {
                within(ledger.store(&mut self.connection, &self.states)).await?;
            }
            within(execute(&mut self.connection, "COMMIT")).await?;
            self.open = false;
            self.uncommitted = 0;
        }
        self.since = None;
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

/// Ends the patience with a server that does not answer.
pub(super) async fn within<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(COMMAND_MAX, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Failure::transient("the server does not answer any more")),
    }
}
