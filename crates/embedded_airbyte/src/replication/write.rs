//! What happens to each line of a destination: echoed states are kept, the rest is news.

use airbyte_protocol::{Line, StateMessage, TraceMessage};
use serde_json::value::RawValue;

use super::log::AttemptLog;
use super::tracker::Tracker;
use crate::connector::command::{log_text, new_configuration};
use crate::connector::{FailureReason, Origin};
use crate::secrets::Redactor;

/// Reads a destination's lines.
pub(super) struct DestinationLines<'a> {
    pub(super) tracker: &'a Tracker,
    pub(super) log: &'a AttemptLog,
    pub(super) redactor: &'a Redactor,
    /// Failures that the destination reported.
    pub(super) failures: Vec<FailureReason>,
}

impl DestinationLines<'_> {
    /// Takes a line; answers a configuration that is to be stored at once.
    pub(super) fn take(&mut self, line: &[u8]) -> Option<Box<RawValue>> {
        let Some(message) = Line::parse(line) else {
            let text = String::from_utf8_lossy(line);
            self.log
                .connector("destination", &self.redactor.clean(&text));
            return None;
        };
        if let Some(raw) = message.state {
            let echoed = serde_json::from_str::<StateMessage>(raw.get())
                .is_ok_and(|state| self.tracker.state_echoed(state));
            if !echoed {
                self.log
                    .platform("WARN the destination echoed a state that is not ours");
            }
        } else if let Some(text) = message.log.and_then(log_text) {
            self.log
                .connector("destination", &self.redactor.clean(&text));
        } else if let Some(raw) = message.trace {
            let trace = serde_json::from_str::<TraceMessage>(raw.get()).ok();
            if let Some(error) = trace.and_then(|trace| trace.error) {
                let failure = FailureReason::from_trace(Origin::Destination, error, self.redactor);
                self.log.connector(
                    "destination",
                    &format!("ERROR {}", failure.external_message),
                );
                self.failures.push(failure);
            }
        }
        message.control.and_then(new_configuration)
    }
}
