//! Reads stdin on a separate thread, so that parsing and writing overlap. The queue between them is
//! short: a slow writer slows the source down, and memory use stays constant.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::BufRead;

use airbyte_protocol::{StreamDescriptor, StreamStatus, StreamStatusTrace};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc::Sender;

use crate::failure::Failure;

/// Batches that may wait for the writer.
pub(crate) const QUEUE: usize = 4;

/// Gathers the rows of one stream, many at a time.
pub(crate) trait Gather {
    /// Rows ready to be written.
    type Batch;

    /// Adds a record; a full batch is returned.
    fn add(
        &mut self,
        data: &RawValue,
        emitted_at: i64,
        changes: Option<&RawValue>,
    ) -> Result<Option<Self::Batch>, Failure>;

    /// The rows gathered so far, if there are any.
    fn take(&mut self) -> Option<Self::Batch>;
}

/// The commands to the writer, in the order of the input.
pub(crate) enum Command<B> {
    /// Rows of the stream at that position.
    Rows(usize, B),
    /// Everything before it is to be committed, of the stream at that position or of all streams,
    /// then it is to be echoed.
    State(Option<usize>, State),
    /// The stream at that position completed.
    Complete(usize),
}

/// A state of the input.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Whose it is: a stream's descriptor as JSON, or nothing where it is of all streams.
    pub(crate) key: String,
    /// As it came.
    pub(crate) raw: String,
    /// The line that acknowledges it.
    pub(crate) echo: String,
}

impl State {
    /// The last one of each key.
    pub(crate) fn newest(states: &[Self]) -> impl Iterator<Item = &Self> {
        let mut seen = HashSet::new();
        let last = states.iter().rev();
        last.filter(move |state| seen.insert(state.key.as_str()))
    }

    /// About what it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.raw.len() + self.echo.len()
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    record: Option<Record<'a>>,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
    #[serde(borrow)]
    trace: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
    emitted_at: i64,
    #[serde(borrow)]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StateFields {
    stream: Option<StateOf>,
}

#[derive(Deserialize)]
struct StateOf {
    stream_descriptor: StreamDescriptor,
}

#[derive(Deserialize)]
struct Trace {
    stream_status: Option<StreamStatusTrace>,
}

/// Reads to the end of the input, sending commands. Stops early when the writer is gone.
///
/// # Errors
/// If a line is not a protocol message, or a record belongs to a stream that is not configured.
pub(crate) fn read<G: Gather>(
    mut input: impl BufRead,
    streams: Vec<(StreamDescriptor, G)>,
    commands: Sender<Command<G::Batch>>,
) -> Result<(), Failure> {
    let (names, gatherers): (Vec<_>, Vec<_>) = streams.into_iter().unzip();
    let mut reader = Reader {
        counts: vec![0; names.len()],
        positions: names
            .into_iter()
            .enumerate()
            .map(|(i, of)| (of, i))
            .collect(),
        gatherers,
        latest: None,
        commands,
    };
    let mut line = Vec::with_capacity(1 << 16);
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).map_err(|e| {
            Failure::system(format!("line {number} of the input is not UTF-8")).because(e)
        })?;
        if text.trim().is_empty() {
            continue;
        }
        let parsed = serde_json::from_str::<Line<'_>>(text).map_err(|e| {
            let message = format!("line {number} of the input is not a protocol message");
            // The parser's words quote no values.
            Failure::system(message).because(e)
        })?;
        if reader.take(&parsed)?.is_none() {
            return Ok(());
        }
    }
    let _gone = reader.send_rows();
    Ok(())
}

/// A stream as a key: its descriptor as JSON.
pub(crate) fn key(stream: &StreamDescriptor) -> String {
    serde_json::to_string(stream).expect("a descriptor serializes")
}

struct Reader<G: Gather> {
    positions: HashMap<StreamDescriptor, usize>,
    gatherers: Vec<G>,
    /// Records of each stream since its last state.
    counts: Vec<u64>,
    /// The stream of the last record, and its position: the next one is most often the same.
    latest: Option<(StreamDescriptor, usize)>,
    commands: Sender<Command<G::Batch>>,
}

impl<G: Gather> Reader<G> {
    /// Takes a line; nothing when the writer is gone.
    fn take(&mut self, line: &Line<'_>) -> Result<Option<()>, Failure> {
        match line.kind.as_ref() {
            "RECORD" => match &line.record {
                Some(record) => self.record(record),
                None => Err(Failure::system("a RECORD message has no record")),
            },
            "STATE" => match line.state {
                Some(state) => self.state(state),
                None => Err(Failure::system("a STATE message has no state")),
            },
            "TRACE" => Ok(self.trace(line.trace)),
            _ => Ok(Some(())),
        }
    }

    fn record(&mut self, record: &Record<'_>) -> Result<Option<()>, Failure> {
        let position = self.position(record)?;
        let changes = record.meta.as_ref().and_then(|meta| meta.changes);
        let batch = self.gatherers[position].add(record.data, record.emitted_at, changes)?;
        self.counts[position] += 1;
        match batch {
            Some(batch) => Ok(self.send(Command::Rows(position, batch))),
            None => Ok(Some(())),
        }
    }

    fn position(&mut self, record: &Record<'_>) -> Result<usize, Failure> {
        let namespace = record.namespace.as_deref();
        if let Some((stream, position)) = &self.latest
            && stream.name == record.stream
            && stream.namespace.as_deref() == namespace
        {
            return Ok(*position);
        }
        let stream = StreamDescriptor {
            name: record.stream.clone().into_owned(),
            namespace: namespace.map(str::to_owned),
        };
        let Some(position) = self.positions.get(&stream).copied() else {
            let message = format!("a record of stream {stream} arrived, which is not configured");
            return Err(Failure::system(message));
        };
        self.latest = Some((stream, position));
        Ok(position)
    }

    /// A state covers the rows before it: they go first, then the echo, with what was counted.
    fn state(&mut self, raw: &RawValue) -> Result<Option<()>, Failure> {
        let unreadable = |e| Failure::system("a STATE message cannot be understood").because(e);
        let state: StateFields = serde_json::from_str(raw.get()).map_err(unreadable)?;
        let of = state.stream.as_ref();
        let position = of.and_then(|of| self.positions.get(&of.stream_descriptor).copied());
        let count = match (of, position) {
            (_, Some(position)) => std::mem::take(&mut self.counts[position]),
            (Some(_), None) => 0,
            (None, None) => self.counts.iter_mut().map(std::mem::take).sum(),
        };
        if self.send_rows().is_none() {
            return Ok(None);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "the protocol writes counts as floats"
        )]
        let stats = serde_json::json!({ "recordCount": count as f64 });
        let stats = to_raw_value(&stats).map_err(unreadable)?;
        let mut members: BTreeMap<String, &RawValue> =
            serde_json::from_str(raw.get()).map_err(unreadable)?;
        members.insert("destinationStats".to_owned(), &stats);
        let members = serde_json::to_string(&members).map_err(unreadable)?;
        let state = State {
            key: match of {
                Some(of) => key(&of.stream_descriptor),
                None => String::new(),
            },
            raw: raw.get().to_owned(),
            echo: format!("{{\"type\":\"STATE\",\"state\":{members}}}\n"),
        };
        Ok(self.send(Command::State(position, state)))
    }

    fn trace(&mut self, raw: Option<&RawValue>) -> Option<()> {
        let trace: Option<Trace> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let Some(status) = trace.and_then(|trace| trace.stream_status) else {
            return Some(());
        };
        let position = self.positions.get(&status.stream_descriptor).copied();
        match position.filter(|_| status.status == StreamStatus::Complete) {
            Some(position) => self.send(Command::Complete(position)),
            None => Some(()),
        }
    }

    fn send_rows(&mut self) -> Option<()> {
        for position in 0..self.gatherers.len() {
            if let Some(batch) = self.gatherers[position].take() {
                self.send(Command::Rows(position, batch))?;
            }
        }
        Some(())
    }

    fn send(&self, command: Command<G::Batch>) -> Option<()> {
        self.commands.blocking_send(command).ok()
    }
}
