//! What sources share: the streams' states, their records' way to stdout, and how a read ends when
//! some of its streams failed.

mod checkpoint;
mod digits;
mod extras;
pub(crate) mod incremental;
mod keyset;
mod outcomes;
mod records;
mod rows;
mod table_reader;

use std::collections::HashSet;

use airbyte_protocol::{
    ConfiguredCatalog, EstimateTrace, EstimateType, GlobalState, StateMessage, StateType,
    StreamDescriptor, TraceMessage, TraceType,
};
use serde_json::value::RawValue;

pub(crate) use checkpoint::{Checkpoint, as_text};
pub(crate) use digits::Digits;
pub(crate) use extras::Extras;
pub(crate) use incremental::differ_in_any_collation;
pub(crate) use keyset::{Progress, pages};
pub(crate) use outcomes::Outcomes;
pub(crate) use records::{GONE, GlobalStates, LineBuilder, Records, UNFIT, quoted_json};
pub(crate) use rows::RowWriter;
pub(crate) use table_reader::{CursorColumn, Emission, KeyedTable, SILENCE_MAX, TableReader};

use crate::failure::Failure;
use crate::output::Output;

/// What `--catalog` holds.
pub(crate) fn configured_catalog(text: &str) -> Result<ConfiguredCatalog, Failure> {
    serde_json::from_str(text)
        .map_err(|e| Failure::config("the configured catalog cannot be understood").because(e))
}

/// What `--state` holds.
#[derive(Default)]
pub(crate) struct States {
    streams: Vec<(StreamDescriptor, Box<RawValue>)>,
    /// The state of all streams together, where there is one.
    pub(crate) global: Option<GlobalState>,
}

impl States {
    /// Parses the file's text; an empty object means that there is no state.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .is_ok_and(|object| object.is_empty())
        {
            return Ok(Self::default());
        }
        let messages: Vec<StateMessage> = serde_json::from_str(text)
            .map_err(|e| Failure::config("the state is not a list of stream states").because(e))?;
        let mut states = Self::default();
        for message in messages {
            if message.kind == StateType::Global {
                states.global = message.global.or(states.global);
            } else if let Some(stream) = message.stream
                && let Some(state) = stream.stream_state
            {
                states.streams.push((stream.stream_descriptor, state));
            }
        }
        Ok(states)
    }

    /// The state of one stream.
    pub(crate) fn of(&self, stream: &StreamDescriptor) -> Option<&RawValue> {
        let found = self.streams.iter().find(|(of, _)| of == stream);
        found.map(|(_, state)| &**state)
    }
}

/// The properties that a configured schema names; nothing where it names none, which means all.
pub(crate) fn selected_properties(schema: &RawValue) -> Option<HashSet<String>> {
    #[derive(serde::Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: serde_json::Map<String, serde_json::Value>,
    }
    let schema: Schema = serde_json::from_str(schema.get()).ok()?;
    let names: HashSet<String> = schema
        .properties
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Reports how many rows a stream has.
pub(crate) fn send_estimate(
    stream: &StreamDescriptor,
    rows: i64,
    output: &mut Output,
) -> Result<(), Failure> {
    let estimate = EstimateTrace {
        name: stream.name.clone(),
        kind: EstimateType::Stream,
        namespace: stream.namespace.clone(),
        row_estimate: Some(rows),
        byte_estimate: None,
    };
    output.trace(|emitted_at| TraceMessage {
        kind: TraceType::Estimate,
        emitted_at,
        error: None,
        estimate: Some(estimate),
        stream_status: None,
    })
}
