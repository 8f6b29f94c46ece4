//! What to do about a source that drifted: every difference between a connection's version and
//! what the source offers now, each with a decision, a severity and words for a person.

mod apply;
mod attributes;
mod change;
mod compare;
mod decide;
mod text;
mod types;

use std::collections::{BTreeSet, HashMap};

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fingerprint::combined;
use crate::model::{SyncCatalog, SyncStream};
use crate::node::Node;

pub use apply::{Applied, apply};
pub use change::{Change, ChangeKind, Decision, RefreshMode, Severity};
pub use types::describe;

/// What the plan may rely on beyond the catalogs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The destination's modes; empty means that they are not known.
    pub destination_sync_modes: Vec<DestinationSyncMode>,
}

/// Every difference between a version and what the source offers now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The differences, in the order of the version's streams, new streams last.
    pub changes: Vec<Change>,
    /// Hash over both fingerprints and the changes: still the same means that the plan still holds.
    pub plan_hash: String,
    /// Fingerprint of the version.
    pub current_fingerprint: String,
    /// Fingerprint of what the source offers.
    pub discovered_fingerprint: String,
}

/// Which proposals a person accepts: `"all"` or a list of change ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub enum Acceptance {
    /// None: only what applies by itself.
    #[default]
    Nothing,
    /// Every one.
    All,
    /// Those.
    Ids(Vec<String>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Ids(Vec<String>),
}

impl From<Acceptance> for Written {
    fn from(acceptance: Acceptance) -> Self {
        match acceptance {
            Acceptance::Nothing => Self::Ids(Vec::new()),
            Acceptance::All => Self::Word("all".to_owned()),
            Acceptance::Ids(ids) => Self::Ids(ids),
        }
    }
}

impl TryFrom<Written> for Acceptance {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Word(word) if word == "all" => Ok(Self::All),
            Written::Word(word) => Err(format!(
                "{word:?} is neither \"all\" nor a list of change ids"
            )),
            Written::Ids(ids) if ids.is_empty() => Ok(Self::Nothing),
            Written::Ids(ids) => Ok(Self::Ids(ids)),
        }
    }
}

/// The ids of the changes to make: what applies by itself and what was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted(BTreeSet<String>);

impl Accepted {
    /// Whether the change is to be made.
    pub fn contains(&self, change: &Change) -> bool {
        self.0.contains(&change.id)
    }
}

/// Ids that name no change of the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan has no change {}", .0.join(", "))]
pub struct UnknownChanges(pub Vec<String>);

impl Plan {
    /// Whether the source still offers what the version says.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that wait for a person.
    pub fn proposals(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.decision == Decision::NeedsAcceptance)
    }

    /// The changes that apply by themselves.
    pub fn automatic(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.decision == Decision::Apply)
    }

    /// Whether Airbyte's own diff disables the connection.
    pub fn is_breaking_for_airbyte(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.breaking_for_airbyte)
    }

    /// The set of changes to make.
    ///
    /// # Errors
    /// Ids that name no change of this plan.
    pub fn accept(&self, acceptance: &Acceptance) -> Result<Accepted, UnknownChanges> {
        let mut ids: BTreeSet<String> = self.automatic().map(|change| change.id.clone()).collect();
        match acceptance {
            Acceptance::Nothing => {}
            Acceptance::All => ids.extend(self.changes.iter().map(|change| change.id.clone())),
            Acceptance::Ids(accepted) => {
                let known = |id: &&String| self.changes.iter().any(|change| change.id == **id);
                let unknown: Vec<_> = accepted.iter().filter(|id| !known(id)).cloned().collect();
                if !unknown.is_empty() {
                    return Err(UnknownChanges(unknown));
                }
                ids.extend(accepted.iter().cloned());
            }
        }
        Ok(Accepted(ids))
    }
}

/// Plans the way from `current` (a version: everything that was discovered then, with each
/// stream's configuration) to `discovered`, by the policy that applies what is harmless and
/// proposes removals, what breaks, and new streams.
pub fn plan(current: &SyncCatalog, discovered: &SyncCatalog, capabilities: &Capabilities) -> Plan {
    let offered: HashMap<StreamDescriptor, &SyncStream> = discovered
        .streams
        .iter()
        .map(|s| (s.descriptor(), s))
        .collect();
    let known: BTreeSet<StreamDescriptor> =
        current.streams.iter().map(SyncStream::descriptor).collect();
    let mut changes = Vec::new();
    let mut mine = Vec::with_capacity(current.streams.len());
    let mut theirs = Vec::with_capacity(discovered.streams.len());
    for entry in &current.streams {
        let descriptor = entry.descriptor();
        match offered.get(&descriptor) {
            None => {
                changes.push(decide::stream_removed(entry));
                mine.push((descriptor, entry.stream.fingerprint()));
            }
            Some(now) if entry.stream == now.stream => {
                let fingerprint = entry.stream.fingerprint();
                mine.push((descriptor.clone(), fingerprint.clone()));
                theirs.push((descriptor, fingerprint));
            }
            Some(now) => {
                let (before, after) = (&entry.stream, &now.stream);
                let roots = (Node::of(&before.json_schema), Node::of(&after.json_schema));
                mine.push((descriptor.clone(), before.fingerprint_with(&roots.0)));
                theirs.push((descriptor, after.fingerprint_with(&roots.1)));
                let roots = (&roots.0, &roots.1);
                changes.extend(decide::stream_changes(entry, after, roots, capabilities));
            }
        }
    }
    for entry in discovered
        .streams
        .iter()
        .filter(|s| !known.contains(&s.descriptor()))
    {
        changes.push(decide::stream_added(&entry.stream, capabilities));
        theirs.push((entry.descriptor(), entry.stream.fingerprint()));
    }
    let (current_fingerprint, discovered_fingerprint) = (combined(mine), combined(theirs));
    let mut hash = Sha256::new();
    hash.update(&current_fingerprint);
    hash.update(&discovered_fingerprint);
    for change in &changes {
        hash.update(&change.id);
        hash.update([u8::from(change.decision == Decision::Apply)]);
    }
    let plan_hash = hex::encode(hash.finalize());
    Plan {
        changes,
        plan_hash,
        current_fingerprint,
        discovered_fingerprint,
    }
}
