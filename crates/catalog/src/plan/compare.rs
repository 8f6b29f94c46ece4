//! Compares two versions of a connection: what its source offered, and the connection's settings.
//! Decides nothing.

use airbyte_protocol::StreamDescriptor;

use super::{Action, Basis, Capabilities, Change, Severity, actions, plan_for};
use crate::diff::{self, CatalogDiff};
use crate::model::SyncCatalog;
use crate::policy::Policy;

/// The differences between two versions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// The highest severity of the changes, for a connection with the first version's settings.
    pub severity: Option<Severity>,
    /// The changes in what the source offered; each decision is what the policy does.
    pub changes: Vec<Change>,
    /// The changes in the connection's settings, as the steps from one to the other.
    pub settings: Vec<Action>,
    /// The changes in what the source offered, by Airbyte's own diff.
    pub airbyte: CatalogDiff,
}

impl Comparison {
    /// Compares two versions, each with everything that was discovered and each stream's settings.
    pub fn of(
        from: &SyncCatalog,
        to: &SyncCatalog,
        capabilities: &Capabilities,
        policy: &Policy,
    ) -> Self {
        let basis = Basis {
            policy: Some(policy),
            ..Basis::default()
        };
        let plan = plan_for(from, to, capabilities, &basis);
        Self {
            severity: (!plan.is_empty()).then_some(plan.severity),
            settings: settings(from, to, &plan.changes),
            airbyte: diff::airbyte(from, to, from),
            changes: plan.changes,
        }
    }

    /// Whether the versions are equivalent.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }
}

/// The changes in the connection's settings. A renamed stream counts as the same stream if it is
/// synced before and after.
fn settings(from: &SyncCatalog, to: &SyncCatalog, changes: &[Change]) -> Vec<Action> {
    let copied = |catalog: &SyncCatalog, stream: &StreamDescriptor| {
        catalog
            .stream(stream)
            .is_some_and(|entry| entry.config.selected)
    };
    let renamed = |stream: &StreamDescriptor| {
        let mut renames = changes.iter().filter(|change| change.stream == *stream);
        let to_stream = renames.find_map(|change| change.to_stream.as_ref());
        to_stream.filter(|now| copied(to, now))
    };
    let mut actions = Vec::new();
    let mut followed = Vec::new();
    for before in from.selected() {
        let stream = before.descriptor();
        let now = renamed(&stream);
        if let Some(now) = now {
            followed.push(now);
            actions.push(Action::RenameStream {
                stream: stream.clone(),
                to: now.clone(),
            });
        }
        match to.stream(now.unwrap_or(&stream)) {
            Some(after) if after.config.selected => {
                actions::settings(before, after, &mut actions);
            }
            _ => actions.push(Action::RemoveStream { stream }),
        }
    }
    for after in to.selected() {
        let stream = after.descriptor();
        if !copied(from, &stream) && !followed.contains(&&stream) {
            actions.push(Action::AddStream { stream });
        }
    }
    actions
}
