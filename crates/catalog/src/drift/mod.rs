//! Detects drift: every difference between a connection's version and what the source offers now,
//! what it means for the connection, and what it requires.

mod attributes;
mod change;
pub(crate) mod fields;
pub(crate) mod identity;
mod severity;
mod stream;
mod streams;

use std::collections::{BTreeSet, HashMap};

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor};

pub(crate) use streams::read_word;

pub use change::{Change, ChangeKind, Decision, RefreshMode, Remedy, Role, Severity};

use crate::destinations::DestinationKind;
use crate::fingerprint::combined;
use crate::model::{SyncCatalog, SyncStream};
use crate::node::Node;
use crate::renames::Sketches;

/// Known properties of destination and server beyond the catalogs.
#[derive(Debug, Clone, PartialEq)]
pub struct Capabilities {
    /// The destination's modes; empty means unknown.
    pub destination_sync_modes: Vec<DestinationSyncMode>,
    /// The kind of destination.
    pub destination: DestinationKind,
    /// Whether the server supports field-renaming mappers.
    pub mappers: bool,
    /// Sketches of the values of removed and added columns.
    pub sketches: Sketches,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            destination_sync_modes: Vec::new(),
            destination: DestinationKind::default(),
            mappers: true,
            sketches: Sketches::default(),
        }
    }
}

/// Every difference between a version and what the source offers now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drift {
    /// The differences, in the order of the version's streams, new streams last. Nothing is decided
    /// yet.
    pub changes: Vec<Change>,
    /// Fingerprint of the version.
    pub base_fingerprint: String,
    /// Fingerprint of the version including the connection's settings.
    pub configured_fingerprint: String,
    /// Fingerprint of what the source offers.
    pub discovered_fingerprint: String,
}

/// Compares `base` (a version: everything discovered at that time, with each stream's
/// configuration) with `discovered`. Streams with equal fingerprints are skipped.
pub fn drift(base: &SyncCatalog, discovered: &SyncCatalog, capabilities: &Capabilities) -> Drift {
    let offered: HashMap<StreamDescriptor, &SyncStream> = discovered
        .streams
        .iter()
        .map(|entry| (entry.descriptor(), entry))
        .collect();
    let known: BTreeSet<StreamDescriptor> =
        base.streams.iter().map(SyncStream::descriptor).collect();
    let gone: Vec<&SyncStream> = base
        .streams
        .iter()
        .filter(|entry| !offered.contains_key(&entry.descriptor()))
        .collect();
    let came: Vec<&SyncStream> = discovered
        .streams
        .iter()
        .filter(|entry| !known.contains(&entry.descriptor()))
        .collect();
    let mut pairs = streams::pairs(&gone, &came);
    let (sketches_before, sketches_after) = capabilities.sketches.indexed();
    let sketches = (&sketches_before, &sketches_after);
    let mut changes = Vec::new();
    let mut mine = Vec::with_capacity(base.streams.len());
    let mut theirs = Vec::with_capacity(discovered.streams.len());
    let mut paired = BTreeSet::new();
    for entry in &base.streams {
        let descriptor = entry.descriptor();
        let Some(now) = offered.get(&descriptor) else {
            mine.push((descriptor.clone(), entry.stream.fingerprint()));
            changes.push(match pairs.remove(&descriptor) {
                Some((now, evidence)) => {
                    paired.insert(now.descriptor());
                    streams::renamed(entry, now, evidence)
                }
                None => streams::removed(entry),
            });
            continue;
        };
        if entry.stream == now.stream {
            let fingerprint = entry.stream.fingerprint();
            mine.push((descriptor.clone(), fingerprint.clone()));
            theirs.push((descriptor, fingerprint));
            continue;
        }
        let (before, after) = (&entry.stream, &now.stream);
        let roots = (Node::of(&before.json_schema), Node::of(&after.json_schema));
        let prints = (
            before.fingerprint_with(&roots.0),
            after.fingerprint_with(&roots.1),
        );
        if prints.0 != prints.1 {
            let roots = (&roots.0, &roots.1);
            changes.extend(stream::changes(entry, after, roots, capabilities, sketches));
        }
        mine.push((descriptor.clone(), prints.0));
        theirs.push((descriptor, prints.1));
    }
    for entry in came {
        let descriptor = entry.descriptor();
        theirs.push((descriptor.clone(), entry.stream.fingerprint()));
        if !paired.contains(&descriptor) {
            changes.push(streams::added(&entry.stream, capabilities));
        }
    }
    let prints = mine.iter().map(|(_, print)| print.as_str());
    Drift {
        changes,
        configured_fingerprint: base.configured_fingerprint_of(prints),
        base_fingerprint: combined(mine),
        discovered_fingerprint: combined(theirs),
    }
}

/// The changes within a renamed stream: its entry in the version against the new stream, both under
/// the new name.
pub(crate) fn within(
    entry: &SyncStream,
    now: &crate::model::StreamDef,
    capabilities: &Capabilities,
) -> Vec<Change> {
    let roots = (
        Node::of(&entry.stream.json_schema),
        Node::of(&now.json_schema),
    );
    let (before, after) = capabilities.sketches.indexed();
    stream::changes(
        entry,
        now,
        (&roots.0, &roots.1),
        capabilities,
        (&before, &after),
    )
}
