//! What is done about drift without a person: rules over severity, kind, stream, field and role,
//! of which the first that fits decides.

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

/// What is done about a change.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is applied without a person.
    Apply,
    /// It waits until a person accepts it.
    #[default]
    Propose,
    /// The old shape stays, and nobody is asked.
    Ignore,
    /// The connection is switched off until a person has looked.
    Pause,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Apply, Self::Propose, Self::Ignore, Self::Pause];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Propose => "propose",
            Self::Ignore => "ignore",
            Self::Pause => "pause",
        }
    }
}

/// Rules, and what is done about a change that none of them fits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Policy {
    /// The rules; the first that fits decides.
    pub rules: Vec<Rule>,
    /// What is done otherwise.
    pub otherwise: Action,
}

/// Conditions that all have to hold, and what is done then. A condition that is absent holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The change is as grave as one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<BTreeSet<Severity>>,
    /// The change is of one of these kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<BTreeSet<ChangeKind>>,
    /// The stream's name, or `namespace.name`, is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Pattern>,
    /// The field's path, its components joined by dots, is so. Never holds for a change of the
    /// stream itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Pattern>,
    /// The connection uses what changed for one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<BTreeSet<Role>>,
    /// What is done.
    pub then: Action,
}

/// A change as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The stream that changed.
    pub stream: &'a StreamDescriptor,
    /// The field that changed; empty where the stream itself did.
    pub path: &'a [String],
    /// What changed.
    pub kind: ChangeKind,
    /// How grave it is.
    pub severity: Severity,
    /// What the connection uses it for.
    pub roles: &'a [Role],
}

impl Policy {
    /// What is done about the change, and the index of the rule that says so; without one it is
    /// `otherwise`.
    pub fn decide(&self, change: &Subject<'_>) -> (Action, Option<usize>) {
        let rule = self.rules.iter().position(|rule| rule.fits(change));
        rule.map_or((self.otherwise, None), |index| {
            (self.rules[index].then, Some(index))
        })
    }

    /// As [`Self::decide`], for a change of a plan: a rename that is a guess is proposed where it
    /// would apply.
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

    /// Equal for policies that decide alike by the same rules, whatever these are called.
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

    /// The document, on one line; reading it gives the same policy.
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
