//! Carrying out commands: rows into files, files into sight, states back.

use std::fs::File;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::encoder::{Batch, Format};
use super::stream::{Stream, Written};
use crate::destination::{Command, State};
use crate::failure::Failure;
use crate::output::Output;

/// Text of states that may wait.
const STATES_BYTES_MAX: usize = 4 << 20;

/// Parts of columns that the open files of all streams may keep in mind, at about 500 bytes each. Many
/// streams that take turns make many small ones.
const CHUNKS_MAX: usize = 30_000;

/// Where files are written and shown.
pub(crate) trait Store {
    /// What it knows of a file.
    type File;

    /// A new file for a stream, which readers do not see.
    fn create(&mut self, stream: usize) -> Result<(File, Self::File), Failure>;

    /// Publishes complete files of streams permanently, together with the states that they reach:
    /// both or neither, even if it is interrupted.
    fn publish(
        &mut self,
        files: Vec<(usize, Written<Self::File>)>,
        states: &[State],
    ) -> impl Future<Output = Result<(), Failure>>;

    /// All files of a stream are shown. `whole`: it completed, so that older generations may go.
    fn conclude(
        &mut self,
        stream: usize,
        whole: bool,
        output: &mut Output,
    ) -> impl Future<Output = Result<(), Failure>>;
}

/// How a stream is written.
pub(crate) struct Way {
    pub(crate) format: Format,
    /// Whether the platform numbers generations, and so reports when the stream completed.
    pub(crate) counts: bool,
    /// Whether only rows that a state covers may be shown.
    pub(crate) covered: bool,
}

/// When files end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// What batches of all streams may take in memory.
    pub(crate) memory: usize,
    /// How large a file becomes, about.
    pub(crate) file_bytes: u64,
    /// How long a state waits at most before its rows are shown and it is echoed.
    pub(crate) interval: Duration,
}

/// Writes the files of all streams.
pub(crate) struct Writer<'a, S: Store> {
    store: S,
    streams: Vec<Stream<S::File>>,
    ways: Vec<(bool, bool)>,
    output: &'a mut Output,
    limits: Limits,
    held: usize,
    /// States of all streams together.
    states: Vec<State>,
    waiting: Option<Instant>,
}

impl<'a, S: Store> Writer<'a, S> {
    /// `streams`: how each is written.
    pub(crate) fn new(store: S, streams: Vec<Way>, limits: Limits, output: &'a mut Output) -> Self {
        let ways = streams
            .iter()
            .map(|way| (way.counts, way.covered))
            .collect();
        let streams = streams.into_iter().map(|way| Stream::new(way.format));
        Self {
            store,
            streams: streams.collect(),
            ways,
            output,
            limits,
            held: 0,
            states: Vec::new(),
            waiting: None,
        }
    }

    /// Carries out commands until there are no more.
    pub(crate) async fn consume(
        &mut self,
        mut commands: Receiver<Command<Batch>>,
    ) -> Result<(), Failure> {
        loop {
            let command = match self.due() {
                None => commands.recv().await,
                Some(due) => {
                    let until = tokio::time::Instant::from_std(due);
                    match tokio::time::timeout_at(until, commands.recv()).await {
                        Ok(command) => command,
                        Err(_elapsed) => {
                            self.acknowledge().await?;
                            continue;
                        }
                    }
                }
            };
            match command {
                None => return Ok(()),
                Some(Command::Rows(position, batch)) => self.rows(position, batch)?,
                Some(Command::Complete(position)) => self.streams[position].complete = true,
                Some(Command::State(Some(position), state)) => {
                    let stream = &mut self.streams[position];
                    stream.cover();
                    stream.states.push(state);
                    stream.waiting.get_or_insert_with(Instant::now);
                    let waits: usize = stream.states.iter().map(State::bytes).sum();
                    if waits >= STATES_BYTES_MAX {
                        self.commit(&[position], false).await?;
                    }
                }
                Some(Command::State(None, state)) => {
                    self.streams.iter_mut().for_each(Stream::cover);
                    self.states.push(state);
                    self.waiting.get_or_insert_with(Instant::now);
                    let waits: usize = self.states.iter().map(State::bytes).sum();
                    if waits >= STATES_BYTES_MAX {
                        self.commit_all().await?;
                    }
                }
            }
            // A steady input must not put it off.
            if self.due().is_some_and(|due| due <= Instant::now()) {
                self.acknowledge().await?;
            }
        }
    }

    /// When the state that waits longest is to be echoed.
    fn due(&self) -> Option<Instant> {
        let waiting = self.streams.iter().filter_map(|stream| stream.waiting);
        let first = waiting.chain(self.waiting).min()?;
        Some(first + self.limits.interval)
    }

    async fn acknowledge(&mut self) -> Result<(), Failure> {
        let due =
            |since: Option<Instant>| since.is_some_and(|at| at.elapsed() >= self.limits.interval);
        if due(self.waiting) {
            return self.commit_all().await;
        }
        let all = 0..self.streams.len();
        let positions: Vec<usize> = all.filter(|at| due(self.streams[*at].waiting)).collect();
        self.commit(&positions, false).await
    }

    fn rows(&mut self, position: usize, batch: Batch) -> Result<(), Failure> {
        let stream = &mut self.streams[position];
        let before = stream.bytes;
        stream.add(batch);
        self.held += stream.bytes - before;
        while self.held > self.limits.memory {
            let all = self.streams.iter().enumerate();
            let Some((largest, _)) = all.max_by_key(|(_, stream)| stream.bytes) else {
                return Ok(());
            };
            self.flush(largest)?;
            self.forget()?;
        }
        Ok(())
    }

    /// Ends the files that keep most in mind, where it is too much together.
    fn forget(&mut self) -> Result<(), Failure> {
        while self.streams.iter().map(Stream::chunks).sum::<usize>() > CHUNKS_MAX {
            let Some(most) = self.streams.iter_mut().max_by_key(|stream| stream.chunks()) else {
                return Ok(());
            };
            most.close()?;
        }
        Ok(())
    }

    fn flush(&mut self, position: usize) -> Result<(), Failure> {
        let (stream, store) = (&mut self.streams[position], &mut self.store);
        let before = stream.bytes;
        stream.flush(|| store.create(position), self.limits.file_bytes)?;
        self.held -= before - stream.bytes;
        Ok(())
    }

    async fn commit_all(&mut self) -> Result<(), Failure> {
        let all: Vec<usize> = (0..self.streams.len()).collect();
        self.commit(&all, true).await
    }

    /// Shows what states cover of streams, then echoes them; `whole`: those of all streams too.
    async fn commit(&mut self, positions: &[usize], whole: bool) -> Result<(), Failure> {
        let (mut files, mut states) = (Vec::new(), Vec::new());
        for &position in positions {
            let (stream, store) = (&mut self.streams[position], &mut self.store);
            let before = stream.bytes;
            let covered = stream.take_covered(|| store.create(position))?;
            self.held -= before - stream.bytes;
            files.extend(covered.into_iter().map(|file| (position, file)));
            stream.waiting = None;
            states.append(&mut stream.states);
        }
        if whole {
            self.waiting = None;
            states.append(&mut self.states);
        }
        if !files.is_empty() || !states.is_empty() {
            self.store.publish(files, &states).await?;
        }
        for state in states {
            self.output.lines(state.echo.as_bytes())?;
        }
        self.output.flush()
    }

    /// The input ended. Rows that no state covers are published if their stream completed, or if
    /// the platform never reports that; otherwise they will be read again.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        let whole: Vec<bool> = self
            .streams
            .iter()
            .zip(&self.ways)
            .map(|(stream, (counts, _))| stream.complete || !counts)
            .collect();
        for ((stream, whole), (_, covered)) in self.streams.iter_mut().zip(&whole).zip(&self.ways) {
            if *whole && !covered {
                stream.cover();
            }
        }
        self.commit_all().await?;
        for (position, whole) in whole.into_iter().enumerate() {
            self.store.conclude(position, whole, self.output).await?;
        }
        Ok(())
    }

    /// The input failed: what states cover is shown, the rest is left.
    pub(crate) async fn abandon(mut self) -> Result<(), Failure> {
        self.commit_all().await?;
        for position in 0..self.streams.len() {
            self.store.conclude(position, false, self.output).await?;
        }
        Ok(())
    }
}
