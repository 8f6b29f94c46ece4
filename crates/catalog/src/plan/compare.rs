//! Two versions of one connection beside each other: what its source offered, and what the
//! connection does with it. Nothing is decided.

use airbyte_protocol::StreamDescriptor;

use super::{Action, Basis, Capabilities, Change, Severity, actions, plan_for};
use crate::diff::{self, CatalogDiff};
use crate::model::SyncCatalog;
use crate::policy::Policy;

/// How two versions differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// How grave the gravest change is for a connection that is configured as the first version.
    pub severity: Option<Severity>,
    /// What the source offered differently; each decision is what the policy does by itself.
    pub changes: Vec<Change>,
    /// What the connection does differently, as the steps that lead from one to the other.
    pub settings: Vec<Action>,
    /// The same change of the source as Airbyte's own diff sees it.
    pub airbyte: CatalogDiff,
}

impl Comparison {
    /// Compares two versions, each everything that was discovered with each stream's
    /// configuration.
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

    /// Whether the versions mean the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }
}

/// What the connection does differently. A stream that was renamed is the same stream where it is
/// copied before and after.
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
