//! Plans for a source that drifted: every difference between a connection's version and what the
//! source offers now, the policy's decision about each, and a hash that identifies the plan.

mod actions;
mod apply;
mod carry;
mod compare;
mod decisions;
mod definition;
mod inverse;
mod outcome;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::drift::{self, Drift};
use crate::model::SyncCatalog;
use crate::policy::{self, Policy};

pub use crate::drift::{
    Capabilities, Change, ChangeKind, Decision, RefreshMode, Remedy, Role, Severity,
};
pub use crate::types::describe;
pub use actions::Action;
pub use apply::{Applied, apply};
pub use compare::Comparison;
pub use decisions::{Acceptance, BadDecision, BadDecisions, Choice, Decided, Decisions};
pub use inverse::{Inverse, Irreversible};
pub use outcome::Document;
pub use text::Style;

/// Every difference between a version and what the source offers now, with the policy's decisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Twelve hex digits: identical for the same plan of the same connection.
    pub id: String,
    /// Hash of the plan's inputs: the version and its settings, what the source offers, the
    /// destination, the policy. If it is unchanged, the plan is still valid.
    pub plan_hash: String,
    /// The connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// The version that the plan changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_version: Option<i32>,
    /// Fingerprint of the version.
    pub base_fingerprint: String,
    /// Fingerprint of what the source offers.
    pub discovered_fingerprint: String,
    /// The highest severity of its changes.
    pub severity: Severity,
    /// The differences, in the order of the version's streams, new streams last.
    pub changes: Vec<Change>,
    /// The decision about each change, by its id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decisions: BTreeMap<String, Choice>,
    /// What applying the decisions does, step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// The resulting catalog, with every stream's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_sync_catalog: Option<Document>,
    /// The way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverse: Option<Document>,
    /// What the way back cannot restore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub irreversible: Vec<Irreversible>,
    /// The plan in a few sentences, most severe changes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<String>,
}

/// The context of a plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Basis<'a> {
    /// The connection.
    pub connection_id: Option<&'a str>,
    /// The version that the plan changes.
    pub base_version: Option<i32>,
    /// The drift policy; default: `propose`.
    pub policy: Option<&'a Policy>,
}

impl Plan {
    /// Whether the source still offers what the version describes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that await a person's decision.
    pub fn proposals(&self) -> impl Iterator<Item = &Change> {
        self.decided(|decision| matches!(decision, Decision::NeedsAcceptance | Decision::Pause))
    }

    /// The changes that apply without approval.
    pub fn automatic(&self) -> impl Iterator<Item = &Change> {
        self.decided(|decision| decision == Decision::Apply)
    }

    /// Whether the policy stops the connection because of one of the changes.
    pub fn pauses(&self) -> bool {
        self.decided(|decision| decision == Decision::Pause)
            .next()
            .is_some()
    }

    fn decided(&self, fits: impl Fn(Decision) -> bool) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| fits(change.decision))
    }

    /// Whether Airbyte's own diff disables the connection.
    pub fn is_breaking_for_airbyte(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.breaking_for_airbyte)
    }
}

/// Plans the changes from `current` (a version: everything discovered at that time, with each
/// stream's settings) to `discovered`, with the policy `propose`.
pub fn plan(current: &SyncCatalog, discovered: &SyncCatalog, capabilities: &Capabilities) -> Plan {
    plan_for(current, discovered, capabilities, &Basis::default())
}

/// As [`plan`], for a connection at a version, with its policy.
pub fn plan_for(
    current: &SyncCatalog,
    discovered: &SyncCatalog,
    capabilities: &Capabilities,
    basis: &Basis<'_>,
) -> Plan {
    let Drift {
        mut changes,
        base_fingerprint,
        configured_fingerprint,
        discovered_fingerprint,
    } = drift::drift(current, discovered, capabilities);
    let default;
    let policy = match basis.policy {
        Some(policy) => policy,
        None => {
            default = policy::Word::Propose.policy();
            &default
        }
    };
    for change in &mut changes {
        change.decision = decision(policy, change);
    }
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part(&basis.base_version.unwrap_or_default().to_string());
    part(&base_fingerprint);
    part(&configured_fingerprint);
    part(&discovered_fingerprint);
    part(&format!(
        "{:?} {} {}",
        capabilities.destination_sync_modes, capabilities.destination, capabilities.mappers
    ));
    part(&policy.fingerprint());
    for change in &changes {
        part(&change.id);
    }
    let plan_hash = hex::encode(hash.finalize());
    let connection_id = basis.connection_id.map(str::to_owned);
    let id =
        crate::fingerprint::short_id(&[&connection_id.clone().into(), &plan_hash.as_str().into()]);
    Plan {
        id,
        plan_hash,
        connection_id,
        base_version: basis.base_version,
        base_fingerprint,
        discovered_fingerprint,
        severity: severity(&changes),
        changes,
        decisions: BTreeMap::new(),
        actions: Vec::new(),
        new_sync_catalog: None,
        inverse: None,
        irreversible: Vec::new(),
        summary: Vec::new(),
    }
}

fn severity(changes: &[Change]) -> Severity {
    let gravest = changes.iter().map(|change| change.severity).max();
    gravest.unwrap_or(Severity::Info)
}

fn decision(policy: &Policy, change: &Change) -> Decision {
    match policy.decide_change(change).0 {
        policy::Action::Apply => Decision::Apply,
        policy::Action::Propose => Decision::NeedsAcceptance,
        policy::Action::Ignore => Decision::Ignore,
        policy::Action::Pause => Decision::Pause,
    }
}
