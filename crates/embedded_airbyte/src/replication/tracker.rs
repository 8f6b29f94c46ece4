//! What was emitted, what was committed, and which states may be kept.
//!
//! A state covers the records before it. It may be kept, and they count as committed, once the
//! destination has echoed it; an echo also covers earlier states of the same stream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use airbyte_protocol::{StateMessage, StateType, StreamDescriptor};
use serde::{Deserialize, Serialize};

use crate::fault::to_json;
use crate::jobs::stream_key;

/// Counts of one stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamStats {
    pub(crate) stream: StreamDescriptor,
    pub(crate) records_emitted: u64,
    pub(crate) bytes_emitted: u64,
    pub(crate) records_committed: u64,
    pub(crate) bytes_committed: u64,
    pub(crate) records_rejected: u64,
    /// Kept from the destination by a mapper.
    #[serde(default)]
    pub(crate) records_filtered: u64,
    #[serde(default)]
    pub(crate) bytes_filtered: u64,
    pub(crate) states_emitted: u64,
    pub(crate) estimated_records: Option<i64>,
    pub(crate) estimated_bytes: Option<i64>,
    /// Whether a later attempt of the job read the stream from its beginning: what this one
    /// committed does not count.
    #[serde(default)]
    pub(crate) superseded: bool,
}

impl StreamStats {
    /// Nothing so far.
    pub(crate) fn of(stream: StreamDescriptor) -> Self {
        Self {
            stream,
            records_emitted: 0,
            bytes_emitted: 0,
            records_committed: 0,
            bytes_committed: 0,
            records_rejected: 0,
            records_filtered: 0,
            bytes_filtered: 0,
            states_emitted: 0,
            estimated_records: None,
            estimated_bytes: None,
            superseded: false,
        }
    }
}

/// How much of a stream a state and those before it cover in this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Covered {
    pub(crate) stream: usize,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// A state to be kept: its kind and the text of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptState {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// Why a state cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StateFault {
    #[error("the source mixes stream, global and legacy states in one sync")]
    MixedKinds,
    #[error("a state lacks the member that its type names")]
    Malformed,
}

/// The counts of an attempt, shared by the readers of both connectors.
pub(crate) struct Tracker {
    inner: Mutex<Inner>,
}

struct Inner {
    streams: Vec<Stream>,
    kind: Option<StateType>,
    last_id: i64,
    /// Covers of global and legacy states, oldest first.
    whole: VecDeque<(i64, Vec<(usize, Cover)>)>,
    kept: BTreeMap<String, KeptState>,
    /// Whether anything arrived since the last call.
    changed: bool,
}

struct Stream {
    stats: StreamStats,
    destination: StreamDescriptor,
    own_state: bool,
    /// Since the last state.
    open: Cover,
    /// Before it.
    covered: Cover,
    /// Of states that were not echoed yet, oldest first.
    waiting: VecDeque<(i64, Cover)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cover {
    records: u64,
    bytes: u64,
    /// Emitted and not forwarded, beside `records`.
    filtered: u64,
}

impl Cover {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.filtered += other.filtered;
    }
}

impl Stream {
    fn commit(&mut self, cover: Cover) {
        self.stats.records_committed += cover.records;
        self.stats.bytes_committed += cover.bytes;
    }

    /// Subtracts what the destination reports as refused.
    fn reject(&mut self, records: u64) {
        let refused = records.min(self.stats.records_committed);
        self.stats.records_committed -= refused;
        self.stats.records_rejected += records;
    }
}

impl Tracker {
    /// Counts for streams given by their source-side and destination-side names.
    pub(crate) fn new(streams: impl Iterator<Item = (StreamDescriptor, StreamDescriptor)>) -> Self {
        let streams = streams
            .map(|(source, destination)| Stream {
                stats: StreamStats::of(source),
                destination,
                own_state: false,
                open: Cover::default(),
                covered: Cover::default(),
                waiting: VecDeque::new(),
            })
            .collect();
        Self {
            inner: Mutex::new(Inner {
                streams,
                kind: None,
                last_id: 0,
                whole: VecDeque::new(),
                kept: BTreeMap::new(),
                changed: false,
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Counts a record of stream number `stream`.
    pub(crate) fn record(&self, stream: usize, bytes: usize) {
        let mut inner = self.inner();
        inner.changed = true;
        let stream = &mut inner.streams[stream];
        let bytes = bytes as u64;
        stream.stats.records_emitted += 1;
        stream.stats.bytes_emitted += bytes;
        stream.open.add(Cover {
            records: 1,
            bytes,
            filtered: 0,
        });
    }

    /// Counts a record that a mapper keeps from the destination.
    pub(crate) fn filtered(&self, stream: usize, bytes: usize) {
        let mut inner = self.inner();
        let stream = &mut inner.streams[stream];
        let bytes = bytes as u64;
        stream.stats.records_emitted += 1;
        stream.stats.bytes_emitted += bytes;
        stream.stats.records_filtered += 1;
        stream.stats.bytes_filtered += bytes;
        stream.open.filtered += 1;
    }

    /// Notes how much the source expects to read.
    pub(crate) fn estimate(&self, stream: usize, records: Option<i64>, bytes: Option<i64>) {
        let stats = &mut self.inner().streams[stream].stats;
        stats.estimated_records = records.or(stats.estimated_records);
        stats.estimated_bytes = bytes.or(stats.estimated_bytes);
    }

    /// Numbers a state of stream `stream` (none for global and legacy ones), completes its count
    /// and renames it for the destination. Answers how much of its streams is covered then.
    pub(crate) fn state_emitted(
        &self,
        stream: Option<usize>,
        state: &mut StateMessage,
    ) -> Result<Vec<Covered>, StateFault> {
        let mut inner = self.inner();
        inner.changed = true;
        match inner.kind {
            Some(kind) if kind != state.kind => return Err(StateFault::MixedKinds),
            _ => inner.kind = Some(state.kind),
        }
        inner.last_id += 1;
        let id = inner.last_id;
        let cover = match (state.kind, stream) {
            (StateType::Stream, Some(number)) => {
                let entry = &mut inner.streams[number];
                let cover = std::mem::take(&mut entry.open);
                entry.covered.add(cover);
                entry.waiting.push_back((id, cover));
                entry.own_state = true;
                entry.stats.states_emitted += 1;
                let named = state.stream.as_mut().ok_or(StateFault::Malformed)?;
                named.stream_descriptor = entry.destination.clone();
                cover
            }
            (StateType::Stream, None) => return Err(StateFault::Malformed),
            (StateType::Global | StateType::Legacy, _) => {
                let covers: Vec<_> = inner
                    .streams
                    .iter_mut()
                    .map(|stream| std::mem::take(&mut stream.open))
                    .enumerate()
                    .filter(|(_, cover)| cover.records + cover.filtered > 0)
                    .collect();
                let mut sum = Cover::default();
                for (number, cover) in &covers {
                    sum.add(*cover);
                    inner.streams[*number].covered.add(*cover);
                }
                inner.whole.push_back((id, covers));
                sum
            }
        };
        state.id = Some(id);
        let stats = state.source_stats.get_or_insert_default();
        // States count as floats on the wire; a sync has no 2^53 records.
        match &mut stats.record_count {
            // What the source counted includes what did not pass a mapper.
            Some(counted) => *counted = (*counted - cover.filtered as f64).max(0.0),
            none => *none = Some(cover.records as f64),
        }
        let streams = inner.streams.iter().enumerate();
        let of_it = streams.filter(|(number, _)| stream.is_none_or(|one| one == *number));
        let covered = of_it.map(|(number, stream)| Covered {
            stream: number,
            records: stream.covered.records,
            bytes: stream.covered.bytes,
        });
        Ok(covered.collect())
    }

    /// Takes an echoed state: commits what it covers and keeps it under the source's name.
    /// Answers whether the state is one of ours.
    pub(crate) fn state_echoed(&self, echo: StateMessage) -> bool {
        let mut inner = self.inner();
        let rejected = echo
            .destination_stats
            .and_then(|stats| stats.rejected_record_count)
            .map_or(0, |count| count.max(0.0) as u64);
        let kept = match echo.kind {
            StateType::Stream => {
                let Some(state) = echo.stream else {
                    return false;
                };
                let found = inner
                    .streams
                    .iter_mut()
                    .find(|stream| stream.destination == state.stream_descriptor);
                let Some(stream) = found else {
                    return false;
                };
                // Without an id the echo is the oldest one that was not answered.
                let last = echo.id.or(stream.waiting.front().map(|(id, _)| *id));
                while let Some((id, cover)) = stream.waiting.front().copied()
                    && Some(id) <= last
                {
                    stream.commit(cover);
                    stream.waiting.pop_front();
                }
                stream.reject(rejected);
                let text = state
                    .stream_state
                    .map_or("null".into(), |raw| raw.get().to_owned());
                let key = stream_key(&stream.stats.stream);
                (
                    key,
                    KeptState {
                        kind: "stream",
                        text,
                    },
                )
            }
            StateType::Global | StateType::Legacy => {
                let last = echo.id.or(inner.whole.front().map(|(id, _)| *id));
                while let Some((id, _)) = inner.whole.front()
                    && Some(*id) <= last
                {
                    let (_, covers) = inner.whole.pop_front().unwrap_or_default();
                    for (stream, cover) in covers {
                        inner.streams[stream].commit(cover);
                    }
                }
                if let Some(first) = inner.streams.first_mut() {
                    first.reject(rejected);
                }
                let (kind, text) = match (echo.kind, echo.global, echo.data) {
                    (StateType::Global, Some(global), _) => ("global", to_json(&global)),
                    (StateType::Legacy, _, Some(data)) => ("legacy", data.get().to_owned()),
                    _ => return false,
                };
                (String::new(), KeptState { kind, text })
            }
        };
        inner.kept.insert(kept.0, kept.1);
        inner.changed = true;
        true
    }

    /// States that were echoed since the last call, newest per stream.
    pub(crate) fn take_kept(&self) -> BTreeMap<String, KeptState> {
        std::mem::take(&mut self.inner().kept)
    }

    /// Gives back states that could not be written; newer ones win.
    pub(crate) fn keep_again(&self, states: BTreeMap<String, KeptState>) {
        let mut inner = self.inner();
        inner.changed = true;
        for (stream, state) in states {
            inner.kept.entry(stream).or_insert(state);
        }
    }

    /// Whether anything came since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        std::mem::take(&mut self.inner().changed)
    }

    /// States that the destination has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        let inner = self.inner();
        let of_streams = inner.streams.iter().map(|stream| stream.waiting.len());
        of_streams.sum::<usize>() + inner.whole.len()
    }

    /// Records of a stream that no state covers.
    pub(crate) fn uncovered(&self, stream: usize) -> u64 {
        self.inner().streams[stream].open.records
    }

    /// Whether the source sent a state for this stream, or for all of them.
    pub(crate) fn has_state(&self, stream: usize) -> bool {
        let inner = self.inner();
        let whole = matches!(inner.kind, Some(StateType::Global | StateType::Legacy));
        whole || inner.streams[stream].own_state
    }

    /// After a whole success everything emitted is committed, but what was rejected or filtered.
    pub(crate) fn finish(&self) {
        for stream in &mut self.inner().streams {
            let stats = &mut stream.stats;
            let kept = stats.records_rejected + stats.records_filtered;
            stats.records_committed = stats.records_emitted.saturating_sub(kept);
            stats.bytes_committed = stats.bytes_emitted.saturating_sub(stats.bytes_filtered);
        }
    }

    /// The counts so far.
    pub(crate) fn stats(&self) -> Vec<StreamStats> {
        let inner = self.inner();
        inner
            .streams
            .iter()
            .map(|stream| stream.stats.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> StreamDescriptor {
        StreamDescriptor {
            name: name.to_owned(),
            namespace: None,
        }
    }

    fn tracker() -> Tracker {
        Tracker::new(
            ["a", "b"]
                .map(|name| (named(name), named(&format!("x_{name}"))))
                .into_iter(),
        )
    }

    fn state(value: serde_json::Value) -> StateMessage {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    fn stream_state(name: &str, value: u64) -> StateMessage {
        state(json!({"type": "STREAM", "stream": {
            "stream_descriptor": {"name": name}, "stream_state": {"at": value}}}))
    }

    #[test]
    fn an_echo_commits_what_it_covers_and_earlier_states_of_its_stream_only() {
        let tracker = tracker();
        let mut sent = Vec::new();
        for value in 1..=3 {
            tracker.record(0, 10);
            tracker.record(1, 1);
            let mut message = stream_state("a", value);
            tracker.state_emitted(Some(0), &mut message).unwrap();
            sent.push(message);
        }
        assert_eq!(sent[0].source_stats.unwrap().record_count, Some(1.0));
        assert_eq!(
            sent[0].stream.as_ref().unwrap().stream_descriptor,
            named("x_a")
        );
        assert!(tracker.state_echoed(sent[1].clone()));
        let stats = tracker.stats();
        assert_eq!(
            (stats[0].records_committed, stats[0].bytes_committed),
            (2, 20)
        );
        assert_eq!(stats[1].records_committed, 0);
        let kept = tracker.take_kept();
        assert_eq!(kept[&stream_key(&named("a"))].text, r#"{"at":2}"#);
        assert!(tracker.take_kept().is_empty());
    }

    #[test]
    fn a_global_acknowledgment_covers_all_streams_and_rejections_are_subtracted() {
        let tracker = tracker();
        tracker.record(0, 1);
        tracker.record(1, 1);
        let mut message = state(json!({"type": "GLOBAL", "global":
            {"shared_state": {"lsn": 7}, "stream_states": []}}));
        tracker.state_emitted(None, &mut message).unwrap();
        assert_eq!(message.source_stats.unwrap().record_count, Some(2.0));
        message.destination_stats = Some(airbyte_protocol::StateStats {
            record_count: None,
            rejected_record_count: Some(1.0),
        });
        assert!(tracker.state_echoed(message));
        let stats = tracker.stats();
        assert_eq!(
            (stats[0].records_committed, stats[0].records_rejected),
            (0, 1)
        );
        assert_eq!(stats[1].records_committed, 1);
        assert!(tracker.has_state(0) && tracker.has_state(1));
    }

    #[test]
    fn kinds_must_not_be_mixed_and_unknown_ones_are_rejected() {
        let tracker = tracker();
        tracker
            .state_emitted(Some(0), &mut stream_state("a", 1))
            .unwrap();
        let mut legacy = state(json!({"data": {}}));
        assert_eq!(
            tracker.state_emitted(None, &mut legacy),
            Err(StateFault::MixedKinds)
        );
        assert!(!tracker.state_echoed(stream_state("unknown", 1)));
    }
}
