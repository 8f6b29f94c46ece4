//! Keywords for whole policies: AAM's own and Airbyte's four preferences.

use std::collections::BTreeSet;

use super::{Action, Policy, Rule};
use crate::drift::{ChangeKind, Role, Severity};

/// A policy keyword.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// Harmless changes apply, all others are proposed.
    #[default]
    Propose,
    /// As `propose`, and lost columns and exact renames apply.
    Auto,
    /// Harmless changes apply, all others deactivate the connection.
    Pause,
    /// All changes are ignored.
    Ignore,
    /// Airbyte's keyword for `pause`.
    Disable,
    /// Airbyte's: changes within streams apply; streams are neither added nor removed.
    PropagateColumns,
    /// Airbyte's: changes within streams apply; streams are added and removed.
    PropagateFully,
}

/// A word that is not a policy keyword.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy {0:?}; expected one of {words} or a JSON document", words = Word::words())]
pub struct UnknownWord(pub String);

impl Word {
    /// All keywords.
    pub const ALL: [Self; 7] = [
        Self::Propose,
        Self::Auto,
        Self::Pause,
        Self::Ignore,
        Self::Disable,
        Self::PropagateColumns,
        Self::PropagateFully,
    ];

    /// The keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Auto => "auto",
            Self::Pause => "pause",
            Self::Ignore => "ignore",
            Self::Disable => "disable",
            Self::PropagateColumns => "propagate_columns",
            Self::PropagateFully => "propagate_fully",
        }
    }

    fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// The policy that it stands for.
    pub fn policy(self) -> Policy {
        use ChangeKind as Kind;
        use Severity::{Breaking, DataLoss, Info, Safe, Warning};
        let new_streams =
            || Rule::new("new streams", Action::Propose).of_kinds([Kind::StreamAdded]);
        let harmless = || Rule::new("harmless", Action::Apply).of_severities([Info, Safe]);
        let graver = || {
            [
                Rule::new("what can lose values", Action::Propose).of_severities([DataLoss]),
                Rule::new("what breaks a stream", Action::Pause).of_severities([Breaking]),
            ]
        };
        let (rules, otherwise) = match self {
            Self::Propose => (vec![new_streams(), harmless()], Action::Propose),
            Self::Auto => {
                let key = Rule::new("keys and cursors", Action::Propose)
                    .of_kinds([Kind::FieldRemoved])
                    .used_as([Role::PrimaryKey, Role::Cursor]);
                let removed = Rule::new("lost columns", Action::Apply)
                    .of_severities([Warning])
                    .of_kinds([Kind::FieldRemoved]);
                let renamed = Rule::new("exact renames", Action::Apply)
                    .of_severities([Warning, Breaking])
                    .of_kinds([Kind::StreamRenamed, Kind::FieldRenamed]);
                let rules = vec![new_streams(), harmless(), key, removed, renamed];
                (rules, Action::Propose)
            }
            Self::Pause | Self::Disable => (vec![new_streams(), harmless()], Action::Pause),
            Self::Ignore => (Vec::new(), Action::Ignore),
            Self::PropagateColumns => {
                let streams = Rule::new("streams come and go", Action::Ignore).of_kinds([
                    Kind::StreamAdded,
                    Kind::StreamRemoved,
                    Kind::StreamRenamed,
                    Kind::StreamMoved,
                ]);
                let [lossy, breaking] = graver();
                (vec![streams, lossy, breaking], Action::Apply)
            }
            Self::PropagateFully => {
                let streams = Rule::new("streams come and go", Action::Apply)
                    .of_kinds([Kind::StreamAdded, Kind::StreamRemoved]);
                let [lossy, breaking] = graver();
                (vec![lossy, streams, breaking], Action::Apply)
            }
        };
        Policy { rules, otherwise }
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Word {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        // Airbyte's two interfaces spell this one differently.
        if word == "disable_connection" {
            return Ok(Self::Disable);
        }
        let known = Self::ALL.into_iter().find(|known| known.as_str() == word);
        known.ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

impl Rule {
    fn new(name: &str, then: Action) -> Self {
        Self {
            name: Some(name.to_owned()),
            severity: None,
            kind: None,
            stream: None,
            field: None,
            role: None,
            then,
        }
    }

    fn of_severities(self, severities: impl IntoIterator<Item = Severity>) -> Self {
        let severity = Some(BTreeSet::from_iter(severities));
        Self { severity, ..self }
    }

    fn of_kinds(self, kinds: impl IntoIterator<Item = ChangeKind>) -> Self {
        let kind = Some(BTreeSet::from_iter(kinds));
        Self { kind, ..self }
    }

    fn used_as(self, roles: impl IntoIterator<Item = Role>) -> Self {
        let role = Some(BTreeSet::from_iter(roles));
        Self { role, ..self }
    }
}
