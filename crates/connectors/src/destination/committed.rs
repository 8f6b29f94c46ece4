//! What a destination has committed for a connection: the latest state of each stream, stored with
//! the rows that it covers. The platform reads it before a source starts, so that the source
//! continues exactly there, however the previous attempt ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::State;
use crate::failure::Failure;
use crate::output::Output;

/// States by their key, and the full refreshes that were added to what was there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// As they came from the platform.
    #[serde(default)]
    pub(crate) states: BTreeMap<String, Box<RawValue>>,
    /// The last sync in which a stream was added whole; another attempt of that sync adds nothing.
    #[serde(default)]
    pub(crate) added: BTreeMap<String, i64>,
}

impl Committed {
    /// Takes states, the later ones last.
    ///
    /// # Errors
    /// If a state is not valid JSON.
    pub(crate) fn take(&mut self, states: &[State]) -> Result<(), Failure> {
        for state in states {
            let raw = RawValue::from_string(state.raw.clone())
                .map_err(|e| Failure::system("a state cannot be understood").because(e))?;
            self.states.insert(state.key.clone(), raw);
        }
        Ok(())
    }

    /// What a table of keys, states and syncs holds.
    ///
    /// # Errors
    /// If a state is not valid JSON.
    pub(crate) fn of(rows: Vec<(String, Option<String>, Option<i64>)>) -> Result<Self, Failure> {
        let mut committed = Self::default();
        for (key, state, added) in rows {
            if let Some(raw) = state {
                let raw = RawValue::from_string(raw)
                    .map_err(|e| Failure::system("a kept state cannot be understood").because(e))?;
                committed.states.insert(key.clone(), raw);
            }
            if let Some(sync_id) = added {
                committed.added.insert(key, sync_id);
            }
        }
        Ok(committed)
    }

    /// Whether that sync has added the whole stream already.
    pub(crate) fn has_added(&self, stream: &str, sync_id: Option<i64>) -> bool {
        sync_id.is_some() && self.added.get(stream).copied() == sync_id
    }
}

/// Reports to the platform what is committed, and that the input is read from now on.
pub(crate) fn resume(committed: &Committed, output: &mut Output) -> Result<(), Failure> {
    for state in committed.states.values() {
        let line = format!("{{\"type\":\"STATE\",\"state\":{state}}}\n");
        output.lines(line.as_bytes())?;
    }
    output.lines(b"{\"type\":\"READY\"}\n")?;
    output.flush()
}

/// A newer attempt writes for the connection.
pub(crate) fn taken_over() -> Failure {
    Failure::transient("another attempt is now writing for this connection")
}
