//! Drift policies: rules over severity, kind, stream, field and role, of which the first that
//! matches decides.

mod check;
mod explain;
mod pattern;
mod read;
mod strict;
mod words;

use std::collections::BTreeSet;

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::drift::{Change, ChangeKind, Role, Severity};

pub use pattern::Pattern;
pub use strict::Strict;
pub use words::{UnknownWord, Word};

/// What happens to a change.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is applied without approval.
    Apply,
    /// It waits until a person accepts it.
    #[default]
    Propose,
    /// The old shape stays, and no approval is requested.
    Ignore,
    /// The connection is deactivated until a person decides.
    Pause,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Apply, Self::Propose, Self::Ignore, Self::Pause];

    /// The action's keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Propose => "propose",
            Self::Ignore => "ignore",
            Self::Pause => "pause",
        }
    }
}

/// Rules, and the action for changes that match none of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Policy {
    /// The rules; the first that matches decides.
    pub rules: Vec<Rule>,
    /// The action if no rule matches.
    pub otherwise: Action,
}

/// Conditions that must all hold, and an action. An absent condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The change has one of these severities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<BTreeSet<Severity>>,
    /// The change is of one of these kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<BTreeSet<ChangeKind>>,
    /// The stream's name, or `namespace.name`, matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Pattern>,
    /// The field's path, its components joined by dots, matches. Never holds for a change of the
    /// stream itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Pattern>,
    /// The connection uses what changed in one of these roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<BTreeSet<Role>>,
    /// The action.
    pub then: Action,
}

/// The properties of a change that rules match.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The changed stream.
    pub stream: &'a StreamDescriptor,
    /// The changed field; empty if the stream itself changed.
    pub path: &'a [String],
    /// The kind of change.
    pub kind: ChangeKind,
    /// Its severity.
    pub severity: Severity,
    /// How the connection uses it.
    pub roles: &'a [Role],
}

impl Policy {
    /// The action for the change, and the index of the rule that decided; `None` for `otherwise`.
    pub fn decide(&self, change: &Subject<'_>) -> (Action, Option<usize>) {
        let rule = self.rules.iter().position(|rule| rule.fits(change));
        rule.map_or((self.otherwise, None), |index| {
            (self.rules[index].then, Some(index))
        })
    }

    /// As [`Self::decide`], for a change of a plan: an inexact rename is proposed even if it would
    /// be applied.
    pub fn decide_change(&self, change: &Change) -> (Action, Option<usize>) {
        let (action, rule) = self.decide(&Subject {
            stream: &change.stream,
            path: &change.path,
            kind: change.kind,
            severity: change.severity,
            roles: &change.roles,
        });
        match action {
            Action::Apply if change.is_guess() => (Action::Propose, rule),
            action => (action, rule),
        }
    }

    /// Equal for policies with equivalent rules, regardless of the rules' names.
    pub fn fingerprint(&self) -> String {
        let mut nameless = self.clone();
        for rule in &mut nameless.rules {
            rule.name = None;
        }
        let mut hash = Sha256::new();
        hash.update(b"aam/policy/v1\0");
        hash.update(nameless.to_json());
        hex::encode(hash.finalize())
    }

    /// The document, on one line; parsing it yields the same policy.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("words and texts are JSON")
    }
}

impl Rule {
    /// Whether all conditions hold.
    pub fn fits(&self, change: &Subject<'_>) -> bool {
        fn holds<T: Ord>(condition: Option<&BTreeSet<T>>, value: &T) -> bool {
            condition.is_none_or(|values| values.contains(value))
        }
        holds(self.severity.as_ref(), &change.severity)
            && holds(self.kind.as_ref(), &change.kind)
            && (self.role.as_ref())
                .is_none_or(|roles| change.roles.iter().any(|role| roles.contains(role)))
            && (self.stream.as_ref()).is_none_or(|pattern| pattern.matches_stream(change.stream))
            && (self.field.as_ref()).is_none_or(|pattern| pattern.matches_path(change.path))
    }
}
