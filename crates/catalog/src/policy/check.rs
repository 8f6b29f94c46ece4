//! Finds questionable parts of a valid policy: rules that can never decide.

use std::collections::BTreeSet;

use super::{Pattern, Policy, Rule};
use crate::drift::ChangeKind;
use crate::fault::Fault;

impl Policy {
    /// Warnings about a valid policy: rules that an earlier one covers completely, and rules that
    /// never match.
    pub fn warnings(&self) -> Vec<Fault> {
        let rules = self.rules.iter().enumerate();
        rules
            .filter_map(|(index, rule)| {
                let message = self.never_decides(index, rule)?;
                Some(Fault::new(format!("rules[{index}]"), message))
            })
            .collect()
    }

    fn never_decides(&self, index: usize, rule: &Rule) -> Option<String> {
        let of_streams = |kinds: &BTreeSet<ChangeKind>| !kinds.iter().any(|kind| kind.has_field());
        if rule.field.is_some() && rule.kind.as_ref().is_some_and(of_streams) {
            let message = "never matches: it requires a field, and changes of its kinds have none";
            return Some(message.to_owned());
        }
        let earlier = self.rules[..index].iter();
        let covering = earlier
            .enumerate()
            .find(|(_, earlier)| earlier.covers(rule));
        covering.map(|(other, _)| {
            format!(
                "never decides: rules[{other}] matches everything that it matches, and comes first"
            )
        })
    }
}

impl Rule {
    /// Whether this one certainly matches whatever the other matches.
    fn covers(&self, other: &Self) -> bool {
        fn has_all<T: Ord>(wide: Option<&BTreeSet<T>>, narrow: Option<&BTreeSet<T>>) -> bool {
            wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow.is_subset(wide)))
        }
        fn matches_all(wide: Option<&Pattern>, narrow: Option<&Pattern>) -> bool {
            wide.is_none_or(|wide| narrow.is_some_and(|narrow| wide.covers(narrow)))
        }
        has_all(self.severity.as_ref(), other.severity.as_ref())
            && has_all(self.kind.as_ref(), other.kind.as_ref())
            && has_all(self.role.as_ref(), other.role.as_ref())
            && matches_all(self.stream.as_ref(), other.stream.as_ref())
            && matches_all(self.field.as_ref(), other.field.as_ref())
    }
}

impl ChangeKind {
    /// Whether a change of the kind concerns a field, not a stream as a whole.
    fn has_field(self) -> bool {
        match self {
            Self::FieldAdded
            | Self::FieldRemoved
            | Self::FieldRenamed
            | Self::FieldMoved
            | Self::FieldTypeChanged
            | Self::FieldNullabilityChanged
            | Self::FieldFormatChanged
            | Self::FieldAirbyteTypeChanged
            | Self::FieldEnumChanged
            | Self::FieldRecreated => true,
            Self::StreamAdded
            | Self::StreamRemoved
            | Self::StreamRenamed
            | Self::StreamMoved
            | Self::PrimaryKeyChanged
            | Self::CursorChanged
            | Self::ModesChanged
            | Self::ResumabilityChanged
            | Self::Metadata => false,
        }
    }
}
