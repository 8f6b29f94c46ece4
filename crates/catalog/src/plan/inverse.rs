//! The way back from a plan, and what it cannot restore.

use std::collections::HashMap;

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};

use super::{Choice, Decided, Plan};
use crate::drift::{Change, ChangeKind, RefreshMode, Severity};
use crate::model::{SyncCatalog, SyncStream};

/// Reverts a plan: the version's entries as they were. Applied to the plan's own outcome it
/// restores the version.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Inverse {
    /// The version that it restores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_version: Option<i32>,
    /// Entries to restore, replacing those of the same stream.
    pub put: SyncCatalog,
    /// Streams that the version did not have.
    pub remove: Vec<StreamDescriptor>,
    /// The version's streams, in its order.
    pub order: Vec<StreamDescriptor>,
}

impl Inverse {
    /// The catalog before the plan, computed from the one after it.
    pub fn apply(&self, after: &SyncCatalog) -> SyncCatalog {
        let mut entries: HashMap<StreamDescriptor, &SyncStream> = after
            .streams
            .iter()
            .map(|entry| (entry.descriptor(), entry))
            .collect();
        for entry in &self.put.streams {
            entries.insert(entry.descriptor(), entry);
        }
        let streams = self.order.iter();
        SyncCatalog {
            streams: streams
                .filter_map(|descriptor| entries.get(descriptor).copied().cloned())
                .collect(),
            extra: after.extra.clone(),
        }
    }
}

pub(super) fn inverse(before: &SyncCatalog, after: &SyncCatalog, plan: &Plan) -> Inverse {
    let kept: HashMap<StreamDescriptor, &SyncStream> = after
        .streams
        .iter()
        .map(|entry| (entry.descriptor(), entry))
        .collect();
    let changed = before
        .streams
        .iter()
        .filter(|entry| kept.get(&entry.descriptor()) != Some(entry));
    let order: Vec<StreamDescriptor> = before.streams.iter().map(SyncStream::descriptor).collect();
    let known: std::collections::HashSet<&StreamDescriptor> = order.iter().collect();
    Inverse {
        to_version: plan.base_version,
        put: SyncCatalog::new(changed.cloned().collect()),
        remove: after
            .streams
            .iter()
            .map(SyncStream::descriptor)
            .filter(|descriptor| !known.contains(descriptor))
            .collect(),
        order,
    }
}

/// Something that the way back does not restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Irreversible {
    /// The stream.
    pub stream: StreamDescriptor,
    /// The change, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// A description.
    pub what: String,
}

pub(super) fn irreversible(
    before: &SyncCatalog,
    after: &SyncCatalog,
    plan: &Plan,
    decided: &Decided,
    refresh: &[(StreamDescriptor, RefreshMode)],
) -> Vec<Irreversible> {
    let followed = plan
        .changes
        .iter()
        .filter(|change| decided.of(change) != Choice::Defer && !change.roles.is_empty());
    let mut found: Vec<Irreversible> = followed
        .filter_map(|change| {
            Some(Irreversible {
                stream: change.stream.clone(),
                change: Some(change.id.clone()),
                what: of_change(change, decided.of(change))?.to_owned(),
            })
        })
        .collect();
    for entry in before.selected() {
        let descriptor = entry.descriptor();
        let Some(next) = after.stream(&descriptor) else {
            continue;
        };
        if entry.config.is_incremental() && !next.config.is_incremental() {
            found.push(Irreversible {
                stream: descriptor,
                change: None,
                what: "its sync state is dropped, and its table is rewritten: rows that the \
                       source no longer has are gone"
                    .to_owned(),
            });
        }
    }
    found.extend(refresh.iter().map(|(stream, mode)| {
        let what = match mode {
            RefreshMode::Merge => "its sync state restarts; the way back does not restore it",
            RefreshMode::Truncate => {
                "its older rows are dropped after a refresh; rows that the source no longer has \
                 are gone"
            }
        };
        Irreversible {
            stream: stream.clone(),
            change: None,
            what: what.to_owned(),
        }
    }));
    found
}

fn of_change(change: &Change, choice: Choice) -> Option<&'static str> {
    Some(match change.kind {
        ChangeKind::StreamRemoved => {
            "changes that the source makes to it in the meantime are not synced"
        }
        ChangeKind::StreamRenamed | ChangeKind::StreamMoved => {
            "its rows are written to another table from now on; its sync state stays with the old \
             name"
        }
        ChangeKind::FieldRemoved => {
            "rows written in the meantime have no value in it, the source no longer has one, and \
             some destinations drop the column with its values"
        }
        ChangeKind::FieldRenamed | ChangeKind::FieldMoved if choice == Choice::Reject => {
            "rows written in the meantime have no value under the old name"
        }
        _ if change.severity == Severity::DataLoss => {
            "values that do not fit the new type are gone from the destination"
        }
        _ => return None,
    })
}
