//! Streams that were removed, added or renamed.

use std::collections::{BTreeSet, HashMap};

use airbyte_protocol::{StreamDescriptor, SyncMode};
use serde_json::json;

use super::Capabilities;
use super::change::{Change, ChangeKind, Found, Role, Severity};
use super::identity::Identities;
use super::severity::Judgement;
use crate::model::{StreamDef, SyncStream};
use crate::modes;
use crate::node::Node;
use crate::renames::{self, Evidence};
use crate::select::word;

/// Maximum number of stream pairs to compare; beyond it, only ids pair streams.
const COMPARED_MAX: usize = 2_500;

/// Renamed streams, by their names in the version. Only streams that are synced have settings to
/// carry over.
pub(super) fn pairs<'a>(
    gone: &[&SyncStream],
    came: &[&'a SyncStream],
) -> HashMap<StreamDescriptor, (&'a SyncStream, Evidence)> {
    let gone: Vec<&SyncStream> = gone
        .iter()
        .copied()
        .filter(|entry| entry.config.selected)
        .collect();
    if gone.is_empty() || came.is_empty() {
        return HashMap::new();
    }
    let before: Vec<Outline> = gone
        .iter()
        .map(|entry| Outline::of(&entry.stream))
        .collect();
    let after: Vec<Outline> = came
        .iter()
        .map(|entry| Outline::of(&entry.stream))
        .collect();
    let mut found = HashMap::new();
    let mut taken = BTreeSet::new();
    for (entry, outline) in gone.iter().zip(&before) {
        let Some(table) = &outline.table else {
            continue;
        };
        let same = after
            .iter()
            .position(|other| other.table.as_ref() == Some(table));
        if let Some(index) = same.filter(|index| !taken.contains(index)) {
            taken.insert(index);
            let evidence = Evidence::exact(table);
            found.insert(entry.descriptor(), (came[index], evidence));
        }
    }
    if gone.len() * came.len() > COMPARED_MAX {
        return found;
    }
    let mut scored = Vec::new();
    for (i, (entry, outline)) in gone.iter().zip(&before).enumerate() {
        if found.contains_key(&entry.descriptor()) {
            continue;
        }
        for (j, (other, now)) in came.iter().zip(&after).enumerate() {
            // Two tables with known ids are either the same or not.
            let both_known = outline.table.is_some() && now.table.is_some();
            if taken.contains(&j) || both_known {
                continue;
            }
            let names = (entry.stream.name.as_str(), other.stream.name.as_str());
            if let Some(evidence) = renames::streams(names, (&outline.columns, &now.columns)) {
                scored.push((i, j, evidence));
            }
        }
    }
    for (i, j, evidence) in renames::one_to_one(scored, |j| came[j].descriptor().to_string()) {
        found.insert(gone[i].descriptor(), (came[j], evidence));
    }
    found
}

/// What distinguishes a stream apart from its name.
struct Outline {
    table: Option<String>,
    columns: renames::Columns,
}

impl Outline {
    fn of(stream: &StreamDef) -> Self {
        let root = Node::of(&stream.json_schema);
        let columns = root.get("properties").map_or(&[][..], Node::members);
        Self {
            table: Identities::of(&root).table(),
            columns: columns
                .iter()
                .map(|(name, schema)| {
                    let own = crate::types::Type::of_node(schema).to_string();
                    (name.to_string(), own)
                })
                .collect(),
        }
    }
}

pub(super) fn renamed(entry: &SyncStream, now: &SyncStream, evidence: Evidence) -> Change {
    let kind = if entry.stream.name == now.stream.name {
        ChangeKind::StreamMoved
    } else {
        ChangeKind::StreamRenamed
    };
    let what = match kind {
        ChangeKind::StreamMoved => "moved to another namespace",
        _ => "was renamed",
    };
    let reason = format!(
        "it {what} ({evidence}); accepting continues it as {} with its current settings and reads \
         it from the start; the existing rows stay where they are",
        now.descriptor()
    );
    let judgement = Judgement::choice(Severity::Breaking, reason);
    let found = Found {
        to_stream: Some(now.descriptor()),
        evidence: Some(evidence),
        ..Found::new(kind, entry.descriptor())
    };
    let columns = |stream: &StreamDef| json!({ "columns": stream.columns() });
    found
        .values(columns(&entry.stream), columns(&now.stream))
        .judged(vec![Role::Selected], judgement)
}

pub(super) fn removed(entry: &SyncStream) -> Change {
    let (roles, judgement) = if entry.config.selected {
        let reason = "the source no longer has this stream, and its sync can fail; accepting \
                      stops syncing it, and its rows stay in the destination";
        (
            vec![Role::Selected],
            Judgement::choice(Severity::Breaking, reason),
        )
    } else {
        let reason = "the source no longer has this stream; it was not synced";
        (Vec::new(), Judgement::nothing(reason))
    };
    let found = Found {
        before: Some(json!({ "columns": entry.stream.columns() })),
        ..Found::new(ChangeKind::StreamRemoved, entry.descriptor())
    };
    found.judged(roles, judgement)
}

pub(super) fn added(stream: &StreamDef, capabilities: &Capabilities) -> Change {
    let modes = modes::choose_modes(stream, &capabilities.destination_sync_modes);
    let reason = format!(
        "the source has a new stream; accepting starts syncing it ({}, {})",
        read_word(modes.sync_mode),
        word(modes.destination_sync_mode),
    );
    let found = Found {
        after: Some(json!({ "columns": stream.columns() })),
        ..Found::new(ChangeKind::StreamAdded, stream.descriptor())
    };
    found.judged(Vec::new(), Judgement::choice(Severity::Info, reason))
}

pub(crate) fn read_word(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::FullRefresh => "full_refresh",
        SyncMode::Incremental => "incremental",
    }
}
