//! Resumes from what a destination has committed. Each state that it is given carries a mark: which
//! attempt sent it, of which generation and epoch its streams were, how much it covers. The
//! destination keeps state and mark in the transaction of the rows, and hands them back before the
//! next attempt's source starts.

use airbyte_protocol::{GlobalState, StateMessage, StateType, StreamDescriptor};
use sea_orm::{DatabaseTransaction, EntityTrait};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::checkpoint::change_stats;
use super::plan::PlannedStream;
use super::tracker::{Covered, StreamStats};
use crate::engine::Engine;
use crate::fault::{Fault, to_json};
use crate::jobs::stream_key;
use crate::state_epochs::Epochs;
use crate::states::keep;
use crate::store::entities::{attempt, connection_state, job};

/// The member of a state that is the platform's own.
const MEMBER: &str = "aam";

/// What an attempt's states are marked with.
pub(super) struct Marking {
    job: i64,
    attempt: i32,
    global: String,
    legacy: String,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    job: i64,
    attempt: i32,
    /// Of a state that is about all streams.
    epoch: String,
    streams: Vec<StreamMark>,
}

#[derive(Serialize, Deserialize)]
struct StreamMark {
    stream: StreamDescriptor,
    generation: i64,
    epoch: String,
    records: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Marked {
    aam: Mark,
}

impl Marking {
    /// For the states of an attempt.
    pub(super) fn of(job: i64, attempt: i32, epochs: &Epochs) -> Self {
        Self {
            job,
            attempt,
            global: epochs.whole(),
            legacy: epochs.legacy(),
        }
    }

    fn epoch(&self, kind: StateType) -> &str {
        match kind {
            StateType::Legacy => &self.legacy,
            StateType::Global | StateType::Stream => &self.global,
        }
    }

    /// Adds the mark to a state's JSON object.
    pub(super) fn mark(
        &self,
        state: &mut String,
        kind: StateType,
        covered: &[Covered],
        streams: &[PlannedStream],
    ) {
        let of_stream = |covered: &Covered| StreamMark {
            stream: streams[covered.stream].source.clone(),
            generation: streams[covered.stream].generation,
            epoch: streams[covered.stream].epoch.clone(),
            records: covered.records,
            bytes: covered.bytes,
        };
        let mark = Mark {
            job: self.job,
            attempt: self.attempt,
            epoch: self.epoch(kind).to_owned(),
            streams: covered.iter().map(of_stream).collect(),
        };
        if state.pop() == Some('}') {
            state.push_str(&format!(",\"{MEMBER}\":{}}}", to_json(&mark)));
        }
    }

    /// Adopts what a destination has committed: if it differs from the stored states, the
    /// destination is right, because its states belong to its rows. Returns how many states
    /// differed. States that were changed manually, and streams that have started over since, are
    /// not changed.
    pub(super) async fn take_over(
        &self,
        engine: &Engine,
        connection: Uuid,
        streams: &[PlannedStream],
        committed: &[Box<RawValue>],
    ) -> Result<usize, Fault> {
        let mut differing = 0;
        let transaction = engine.store.write().await?;
        for raw in committed {
            let Ok(Marked { aam: mark }) = serde_json::from_str(raw.get()) else {
                continue;
            };
            let Ok(state) = serde_json::from_str::<StateMessage>(raw.get()) else {
                continue;
            };
            let Some((key, kind, text)) = self.valid(&mark, state, streams) else {
                continue;
            };
            let row = connection_state::Entity::find_by_id((connection, key.clone()))
                .one(&transaction)
                .await?;
            if row.is_none_or(|row| row.kind != kind || row.state != text) {
                keep(&transaction, connection, &key, kind, &text).await?;
                differing += 1;
            }
            credit(&transaction, connection, mark).await?;
        }
        transaction.commit().await?;
        Ok(differing)
    }

    /// A committed state as it is stored, if it still is one of the connection.
    fn valid(
        &self,
        mark: &Mark,
        state: StateMessage,
        streams: &[PlannedStream],
    ) -> Option<(String, &'static str, String)> {
        match state.kind {
            StateType::Stream => {
                let [of] = mark.streams.as_slice() else {
                    return None;
                };
                let named = state.stream?;
                let planned = streams.iter().find(|planned| planned.source == of.stream)?;
                let same = planned.destination == named.stream_descriptor
                    && planned.generation == of.generation
                    && planned.epoch == of.epoch;
                let text = match named.stream_state {
                    Some(state) => state.get().to_owned(),
                    None => "null".to_owned(),
                };
                same.then(|| (stream_key(&of.stream), "stream", text))
            }
            StateType::Global => {
                let mut global: GlobalState = state.global.filter(|_| mark.epoch == self.global)?;
                let started_over = |stream: &StreamDescriptor| {
                    let planned = streams.iter().find(|planned| planned.source == *stream);
                    let of = mark.streams.iter().find(|of| of.stream == *stream);
                    planned
                        .zip(of)
                        .is_some_and(|(planned, of)| planned.generation != of.generation)
                };
                let before = global.stream_states.len();
                let parts = &mut global.stream_states;
                parts.retain(|part| !started_over(&part.stream_descriptor));
                // As when it was stored: a state without a stream's part is none.
                if parts.is_empty() && before > 0 {
                    return None;
                }
                Some((String::new(), "global", to_json(&global)))
            }
            StateType::Legacy => {
                let data = state.data.filter(|_| mark.epoch == self.legacy)?;
                Some((String::new(), "legacy", data.get().to_owned()))
            }
        }
    }
}

/// Counts what the attempt that sent a state has committed: it may have ended before it read that.
async fn credit(
    transaction: &DatabaseTransaction,
    connection: Uuid,
    mark: Mark,
) -> Result<(), Fault> {
    let job = job::Entity::find_by_id(mark.job).one(transaction).await?;
    let attempt = attempt::Entity::find_by_id((mark.job, mark.attempt))
        .one(transaction)
        .await?;
    let (Some(job), Some(attempt)) = (job, attempt) else {
        return Ok(());
    };
    if job.connection_id != connection {
        return Ok(());
    }
    let credit = |stats: &mut Vec<StreamStats>| {
        let mut changed = false;
        for of in mark.streams {
            let known = stats.iter().position(|stats| stats.stream == of.stream);
            let place = known.unwrap_or_else(|| {
                stats.push(StreamStats::of(of.stream.clone()));
                stats.len() - 1
            });
            let stats = &mut stats[place];
            if stats.records_committed + stats.records_rejected < of.records {
                stats.records_committed = of.records - stats.records_rejected;
                stats.bytes_committed = of.bytes;
                stats.records_emitted = stats.records_emitted.max(of.records);
                stats.bytes_emitted = stats.bytes_emitted.max(of.bytes);
                changed = true;
            }
        }
        changed
    };
    change_stats(transaction, attempt, credit).await
}
