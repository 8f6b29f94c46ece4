//! What a configured stream's mode and generations ask of a destination.

use airbyte_protocol::{ConfiguredStream, DestinationSyncMode, SyncMode};

use crate::failure::Failure;

/// How a stream is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether rows with the same key become one.
    pub(crate) deduplicates: bool,
    /// Whether the rows that are there go once the stream completed.
    pub(crate) replaces: bool,
    /// Whether rows become visible only when the stream completes, beside the existing ones: each
    /// attempt of a full refresh starts again.
    pub(crate) adds: bool,
    /// Whether a row is shown only once a state covers it: what no state covers is read again.
    pub(crate) covered: bool,
    /// Generation of the rows; nothing where the platform does not count them.
    pub(crate) generation: Option<i64>,
    /// The job's id.
    pub(crate) sync_id: Option<i64>,
}

impl Plan {
    /// `exact`: whether each row must arrive exactly once, even if the sync is interrupted.
    ///
    /// # Errors
    /// Modes that a destination is never sent, generations that the platform never asks for, no
    /// key where one is needed.
    pub(crate) fn of(configured: &ConfiguredStream, exact: bool) -> Result<Self, Failure> {
        let stream = configured.stream.descriptor();
        let (deduplicates, overwrites) = match configured.destination_sync_mode {
            DestinationSyncMode::Append => (false, false),
            DestinationSyncMode::Overwrite => (false, true),
            DestinationSyncMode::AppendDedup => (true, false),
            DestinationSyncMode::OverwriteDedup => (true, true),
            DestinationSyncMode::Update | DestinationSyncMode::SoftDelete => {
                let message =
                    format!("stream {stream} is to be written in a mode that is not supported");
                return Err(Failure::config(message));
            }
        };
        if deduplicates && configured.primary_key.is_empty() {
            let message = format!("stream {stream} is to be deduplicated: a primary key is needed");
            return Err(Failure::config(message));
        }
        let counted = [
            configured.generation_id,
            configured.minimum_generation_id,
            configured.sync_id,
        ];
        let counts = counted.iter().any(Option::is_some);
        let generation = counts.then(|| configured.generation_id.unwrap_or(0));
        let minimum = configured.minimum_generation_id.unwrap_or(0);
        if minimum != 0 && Some(minimum) != generation {
            let message =
                format!("stream {stream} has a minimum generation other than 0 and its own");
            return Err(Failure::config(message));
        }
        let replaces = overwrites || minimum != 0;
        let whole = configured.sync_mode == SyncMode::FullRefresh;
        Ok(Self {
            deduplicates,
            replaces,
            adds: exact && whole && !replaces && !deduplicates,
            covered: exact && !whole && !deduplicates,
            generation,
            sync_id: configured.sync_id,
        })
    }
}
