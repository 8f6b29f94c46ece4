//! A connection's drift policy as it was written: a keyword or a document.

use catalog::Faults;
use catalog::policy::{Policy, Strict, Word};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::FieldError;

/// The drift policy: `auto`, `propose`, `pause`, `ignore`, one of Airbyte's preferences, or a
/// document `{"rules": […], "otherwise": …}`. Kept as it was written; only [`DriftPolicy::policy`]
/// validates it.
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
    /// The form stored in the registry: the keyword, or the document's JSON.
    pub fn to_stored(&self) -> String {
        match &self.0 {
            Value::String(word) => word.clone(),
            document => document.to_string(),
        }
    }

    /// Restores the stored form.
    pub fn from_stored(text: &str) -> Self {
        let document = text
            .starts_with('{')
            .then(|| serde_json::from_str(text).ok())
            .flatten();
        Self(document.unwrap_or_else(|| Value::from(text)))
    }

    /// Returns the parsed policy.
    ///
    /// # Errors
    /// Returns every fault, with its path within the policy.
    pub fn policy(&self) -> Result<Policy, Faults> {
        Policy::from_value(&self.0)
    }

    /// The faults of the policy as a member with that name of a request.
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
