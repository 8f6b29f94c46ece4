//! A connection's policy about drift on its way: as somebody stated it, a word or a document.

use catalog::Faults;
use catalog::policy::{Policy, Strict, Word};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::FieldError;

/// What is done about drift: `auto`, `propose`, `pause`, `ignore`, one of Airbyte's preferences, or
/// a document `{"rules": […], "otherwise": …}`. Kept as it was stated; only
/// [`DriftPolicy::policy`] finds out whether it can be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Value)]
pub struct DriftPolicy(Value);

impl Default for DriftPolicy {
    fn default() -> Self {
        Word::default().into()
    }
}

impl<'de> Deserialize<'de> for DriftPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Strict::deserialize(deserializer).map(|Strict(stated)| Self(stated))
    }
}

impl From<Word> for DriftPolicy {
    fn from(word: Word) -> Self {
        Self(Value::from(word.as_str()))
    }
}

impl From<Value> for DriftPolicy {
    fn from(stated: Value) -> Self {
        Self(stated)
    }
}

impl DriftPolicy {
    /// What the registry keeps of it: the word, or the document's JSON.
    pub fn to_stored(&self) -> String {
        match &self.0 {
            Value::String(word) => word.clone(),
            document => document.to_string(),
        }
    }

    /// What the registry kept.
    pub fn from_stored(text: &str) -> Self {
        let document = text
            .starts_with('{')
            .then(|| serde_json::from_str(text).ok())
            .flatten();
        Self(document.unwrap_or_else(|| Value::from(text)))
    }

    /// The policy that is meant.
    ///
    /// # Errors
    /// Every fault, with its place inside the policy.
    pub fn policy(&self) -> Result<Policy, Faults> {
        Policy::from_value(&self.0)
    }

    /// What is wrong with it as a member of that name of a request.
    pub fn faults(&self, member: &str) -> Vec<FieldError> {
        let Err(Faults(faults)) = self.policy() else {
            return Vec::new();
        };
        let faults = faults.into_iter().map(|fault| FieldError {
            field: if fault.path.is_empty() {
                member.to_owned()
            } else {
                format!("{member}.{}", fault.path)
            },
            message: fault.message,
        });
        faults.collect()
    }
}
