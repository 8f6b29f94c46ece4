//! Explains a policy as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::read::word;
use super::{Action, Policy, Rule};
use crate::drift::Role;

impl Policy {
    /// The rules as text, one per line, and the remaining behavior.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let number = index + 1;
            // Writing to a string cannot fail.
            let _ = match &rule.name {
                Some(name) => writeln!(text, "{number}. {name}: {}", rule.sentence()),
                None => writeln!(text, "{number}. {}", rule.sentence()),
            };
        }
        let _ = writeln!(text, "- {}", self.last_sentence());
        let _ = writeln!(
            text,
            "An inexact rename never applies without approval, even if a rule permits it."
        );
        text
    }

    /// The sentence about changes that match no rule: `every other change waits for approval`.
    pub fn last_sentence(&self) -> String {
        let subject = if self.rules.is_empty() {
            "every change"
        } else {
            "every other change"
        };
        format!("{subject} {}", self.otherwise.of_one())
    }

    /// The rule that decided, from the result of [`Policy::decide`]: `rule 2 (harmless)`.
    pub fn decided_by(&self, rule: Option<usize>) -> String {
        let Some(index) = rule else {
            return "no rule matches".to_owned();
        };
        let number = index + 1;
        let name = self.rules.get(index).and_then(|rule| rule.name.as_deref());
        name.map_or_else(
            || format!("rule {number}"),
            |name| format!("rule {number} ({name})"),
        )
    }
}

impl Rule {
    /// The rule as a sentence: `changes of severity info or safe apply`.
    pub fn sentence(&self) -> String {
        let mut text = if self.has_conditions() {
            "changes".to_owned()
        } else {
            "all changes".to_owned()
        };
        if let Some(severities) = &self.severity {
            let _ = write!(text, " of severity {}", either(severities));
        }
        if let Some(kinds) = &self.kind {
            let _ = write!(text, " of kind {}", either(kinds));
        }
        if let Some(pattern) = &self.stream {
            let _ = write!(text, " in streams named {}", pattern.as_str());
        }
        if let Some(pattern) = &self.field {
            let _ = write!(text, " of fields named {}", pattern.as_str());
        }
        if let Some(roles) = &self.role {
            let roles: Vec<&str> = roles.iter().map(|role| role.words()).collect();
            let _ = write!(text, " that concern {}", roles.join(" or "));
        }
        let _ = write!(text, " {}", self.then.of_many());
        text
    }
}

impl Rule {
    fn has_conditions(&self) -> bool {
        self.severity.is_some()
            || self.kind.is_some()
            || self.role.is_some()
            || self.stream.is_some()
            || self.field.is_some()
    }
}

impl Action {
    fn of_many(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Propose => "wait for approval",
            Self::Ignore => "are ignored",
            Self::Pause => "deactivate the connection",
        }
    }

    fn of_one(self) -> &'static str {
        match self {
            Self::Apply => "applies",
            Self::Propose => "waits for approval",
            Self::Ignore => "is ignored",
            Self::Pause => "deactivates the connection",
        }
    }
}

impl Role {
    fn words(self) -> &'static str {
        match self {
            Self::Selected => "what is synced",
            Self::PrimaryKey => "the primary key",
            Self::Cursor => "the cursor",
        }
    }
}

/// `a, b or c`.
fn either<T: Serialize>(values: &BTreeSet<T>) -> String {
    let mut words: Vec<String> = values.iter().map(word).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() {
        last
    } else {
        format!("{} or {last}", words.join(", "))
    }
}
