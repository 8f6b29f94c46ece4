//! Parses a policy and collects every fault with its path.

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{Action, Pattern, Policy, Rule, Strict, Word};
use crate::drift::{ChangeKind, Role, Severity};
use crate::fault::{Fault, Faults};

/// More rules than this are surely a mistake.
const RULES_MAX: usize = 100;

/// An enumeration whose keywords can be listed.
trait Named: Serialize + Copy + Ord + 'static {
    const EVERY: &'static [Self];
    /// `severity`, for use in messages: "every severity".
    const NOUN: &'static str;
}

impl Named for Severity {
    const EVERY: &'static [Self] = &Self::ALL;
    const NOUN: &'static str = "severity";
}

impl Named for ChangeKind {
    const EVERY: &'static [Self] = &Self::ALL;
    const NOUN: &'static str = "kind of change";
}

impl Named for Role {
    const EVERY: &'static [Self] = &[Self::Selected, Self::PrimaryKey, Self::Cursor];
    const NOUN: &'static str = "role";
}

impl Named for Action {
    const EVERY: &'static [Self] = &Self::ALL;
    const NOUN: &'static str = "action";
}

/// The JSON keyword of the value.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    let written = serde_json::to_value(value).unwrap_or_default();
    written.as_str().unwrap_or_default().to_owned()
}

fn words<T: Named>() -> String {
    let all: Vec<String> = T::EVERY.iter().map(word).collect();
    all.join(", ")
}

impl Policy {
    /// Parses a document or a keyword.
    ///
    /// # Errors
    /// Returns every fault, with a path relative to the policy such as `rules[2].kind[0]`; the path
    /// of the whole policy is empty.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let text = text.trim();
        if !text.starts_with(['{', '"', '[']) {
            return Self::from_value(&Value::from(text));
        }
        match serde_json::from_str(text) {
            Ok(Strict(value)) => Self::from_value(&value),
            Err(error) => {
                let message = if error.is_data() {
                    error.to_string()
                } else {
                    format!("is not JSON: {error}")
                };
                Err(Faults(vec![Fault::new("", message)]))
            }
        }
    }

    /// As [`Policy::parse`], for parsed JSON.
    ///
    /// # Errors
    /// As [`Policy::parse`].
    pub fn from_value(value: &Value) -> Result<Self, Faults> {
        let mut reader = Reader::default();
        let policy = reader.policy(value);
        Faults::unless_any(reader.faults, policy)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Strict(value) = Strict::deserialize(deserializer)?;
        Self::from_value(&value).map_err(D::Error::custom)
    }
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, path: &str, message: impl Into<String>) {
        self.faults.push(Fault::new(path, message));
    }

    fn policy(&mut self, value: &Value) -> Policy {
        let document = match value {
            Value::String(text) => match text.parse::<Word>() {
                Ok(word) => return word.policy(),
                Err(error) => {
                    self.fault("", error.to_string());
                    return Policy::default();
                }
            },
            Value::Object(document) => document,
            other => {
                let what = kind_of(other);
                self.fault("", format!("is {what}; expected a keyword or an object"));
                return Policy::default();
            }
        };
        self.known(document, "", &["rules", "otherwise"]);
        let otherwise = document
            .get("otherwise")
            .and_then(|value| self.one("otherwise", value));
        Policy {
            rules: self.rules(document.get("rules")),
            otherwise: otherwise.unwrap_or_default(),
        }
    }

    fn rules(&mut self, value: Option<&Value>) -> Vec<Rule> {
        match value {
            None => Vec::new(),
            Some(Value::Array(rules)) => {
                if rules.len() > RULES_MAX {
                    let count = rules.len();
                    self.fault("rules", format!("are {count}; the maximum is {RULES_MAX}"));
                }
                let rules = rules.iter().take(RULES_MAX).enumerate();
                rules
                    .filter_map(|(index, rule)| self.rule(&format!("rules[{index}]"), rule))
                    .collect()
            }
            Some(other) => {
                let what = kind_of(other);
                self.fault("rules", format!("is {what}; expected a list of rules"));
                Vec::new()
            }
        }
    }

    fn rule(&mut self, path: &str, value: &Value) -> Option<Rule> {
        let Value::Object(rule) = value else {
            let what = kind_of(value);
            self.fault(path, format!("is {what}; expected an object"));
            return None;
        };
        let members = [
            "name", "severity", "kind", "stream", "field", "role", "then",
        ];
        self.known(rule, path, &members);
        let at = |member: &str| format!("{path}.{member}");
        let name = rule
            .get("name")
            .and_then(|name| self.text(&at("name"), name));
        if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            self.fault(&at("name"), "is empty; omit it, or name the rule");
        }
        let severity = rule.get("severity").map(|v| self.some(&at("severity"), v));
        let kind = rule.get("kind").map(|v| self.some(&at("kind"), v));
        let role = rule.get("role").map(|v| self.some(&at("role"), v));
        let stream = rule.get("stream").map(|v| self.pattern(&at("stream"), v));
        let field = rule.get("field").map(|v| self.pattern(&at("field"), v));
        let then = match rule.get("then") {
            Some(value) => self.one(&at("then"), value),
            None => {
                let actions = words::<Action>();
                self.fault(
                    &at("then"),
                    format!("is missing; expected one of {actions}"),
                );
                None
            }
        };
        Some(Rule {
            name,
            severity,
            kind,
            stream: stream.flatten(),
            field: field.flatten(),
            role,
            then: then.unwrap_or_default(),
        })
    }

    fn known(&mut self, object: &Map<String, Value>, path: &str, members: &[&str]) {
        for name in object
            .keys()
            .filter(|name| !members.contains(&name.as_str()))
        {
            let dot = if path.is_empty() { "" } else { "." };
            let all = members.join(", ");
            self.fault(
                &format!("{path}{dot}{name}"),
                format!("is not a member; expected one of {all}"),
            );
        }
    }

    fn text(&mut self, path: &str, value: &Value) -> Option<String> {
        if let Value::String(text) = value {
            return Some(text.clone());
        }
        let what = kind_of(value);
        self.fault(path, format!("is {what}; expected a text"));
        None
    }

    fn pattern(&mut self, path: &str, value: &Value) -> Option<Pattern> {
        let text = self.text(path, value)?;
        match Pattern::parse(&text) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.fault(path, message);
                None
            }
        }
    }

    fn one<T: Named>(&mut self, path: &str, value: &Value) -> Option<T> {
        let text = self.text(path, value)?;
        let known = T::EVERY.iter().find(|known| word(*known) == text);
        if known.is_none() {
            let (noun, all) = (T::NOUN, words::<T>());
            self.fault(
                path,
                format!("unknown {noun} {text:?}; expected one of {all}"),
            );
        }
        known.copied()
    }

    fn some<T: Named>(&mut self, path: &str, value: &Value) -> BTreeSet<T> {
        match value {
            Value::Array(values) if values.is_empty() => {
                let noun = T::NOUN;
                self.fault(path, format!("is empty; omit it to match every {noun}"));
                BTreeSet::new()
            }
            Value::Array(values) => {
                let values = values.iter().enumerate();
                values
                    .filter_map(|(index, value)| self.one(&format!("{path}[{index}]"), value))
                    .collect()
            }
            one => self.one(path, one).into_iter().collect(),
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
