//! The decisions about a plan's changes: by the policy, and by a person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::drift::{Change, Decision};

/// The decision about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It is applied.
    Accept,
    /// The old shape stays, and the change is reported again.
    Defer,
    /// An addition is left out; a rename is treated as a removal and an addition, which are both
    /// applied.
    Reject,
}

/// The proposals that a person accepts: `"all"` or a list of change ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub enum Acceptance {
    /// None: only what applies without approval.
    #[default]
    Nothing,
    /// All that are not deferred or rejected.
    All,
    /// Only these.
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

/// A person's decisions; the policy decides about all other changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// The accepted proposals.
    #[serde(default)]
    pub accept: Acceptance,
    /// Ids of changes whose old shape stays, even if they would apply without approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defer: Vec<String>,
    /// Ids of additions to leave out, and of renames to treat as a removal and an addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<String>,
}

impl Decisions {
    /// No decisions: only what applies without approval.
    pub fn none() -> Self {
        Self::default()
    }

    /// Accepts all proposals.
    pub fn all() -> Self {
        Self::accepting(Acceptance::All)
    }

    /// Accepts these proposals.
    pub fn accepting(accept: Acceptance) -> Self {
        Self {
            accept,
            ..Self::default()
        }
    }
}

/// A fault of a decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDecision {
    /// No change of the plan has the id.
    #[error("the plan has no change {0}")]
    Unknown(String),
    /// There are two decisions about the id.
    #[error("there are two decisions about change {0}")]
    Twice(String),
    /// Neither an addition of a column or stream nor a rename.
    #[error(
        "change {id} ({headline}) cannot be rejected: accept it, or defer it to keep the old shape"
    )]
    NotRejectable {
        /// The change.
        id: String,
        /// Its headline.
        headline: String,
    },
}

/// All faults of the decisions. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadDecisions(pub Vec<BadDecision>);

/// The decision about every change of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Decided(BTreeMap<String, Choice>);

impl Decided {
    /// The decision about the change; unknown changes are deferred.
    pub fn of(&self, change: &Change) -> Choice {
        self.0.get(&change.id).copied().unwrap_or(Choice::Defer)
    }
}

impl Plan {
    /// Combines the policy's and the person's decisions about every change.
    ///
    /// # Errors
    /// Returns every fault of the decisions: ids of unknown changes, duplicate ids, changes that
    /// cannot be rejected.
    pub fn decide(&self, decisions: &Decisions) -> Result<Decided, BadDecisions> {
        let by_policy = |change: &Change| match change.decision {
            Decision::Apply => Choice::Accept,
            Decision::NeedsAcceptance | Decision::Ignore | Decision::Pause => Choice::Defer,
        };
        let mut decided: BTreeMap<String, Choice> = self
            .changes
            .iter()
            .map(|change| {
                let choice = match decisions.accept {
                    Acceptance::All => Choice::Accept,
                    Acceptance::Nothing | Acceptance::Ids(_) => by_policy(change),
                };
                (change.id.clone(), choice)
            })
            .collect();
        let accepted = match &decisions.accept {
            Acceptance::Ids(ids) => ids.as_slice(),
            Acceptance::Nothing | Acceptance::All => &[],
        };
        let named = [
            (accepted, Choice::Accept),
            (&decisions.defer, Choice::Defer),
            (&decisions.reject, Choice::Reject),
        ];
        let mut bad = Vec::new();
        let mut seen: BTreeMap<&String, Choice> = BTreeMap::new();
        for (ids, choice) in named {
            for id in ids {
                let Some(change) = self.changes.iter().find(|change| change.id == *id) else {
                    bad.push(BadDecision::Unknown(id.clone()));
                    continue;
                };
                if seen
                    .insert(id, choice)
                    .is_some_and(|before| before != choice)
                {
                    bad.push(BadDecision::Twice(id.clone()));
                } else if choice == Choice::Reject && !change.is_rejectable() {
                    bad.push(BadDecision::NotRejectable {
                        id: id.clone(),
                        headline: change.headline(),
                    });
                } else {
                    decided.insert(id.clone(), choice);
                }
            }
        }
        if bad.is_empty() {
            Ok(Decided(decided))
        } else {
            Err(BadDecisions(bad))
        }
    }
}
