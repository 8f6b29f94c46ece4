//! A plan with its outcome: for displaying it completely, and for storing it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Applied, Decided, Plan};

/// A document as it was written.
#[derive(Debug, Clone)]
pub struct Document(Box<RawValue>);

impl Document {
    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    fn of(value: &impl Serialize) -> Option<Self> {
        serde_json::value::to_raw_value(value).ok().map(Self)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl Plan {
    /// The plan with its decisions and their effects, without catalogs: for storing.
    #[must_use]
    pub fn without_catalogs(mut self, decided: &Decided, applied: &Applied) -> Self {
        let decisions = self
            .changes
            .iter()
            .map(|change| (change.id.clone(), decided.of(change)));
        self.decisions = decisions.collect();
        self.actions.clone_from(&applied.actions);
        self.irreversible.clone_from(&applied.irreversible);
        self.summary = self.summary_of(decided);
        self
    }

    /// The whole plan, with the resulting catalog and the way back.
    #[must_use]
    pub fn with_outcome(self, decided: &Decided, applied: &Applied) -> Self {
        Self {
            new_sync_catalog: Document::of(&applied.catalog),
            inverse: Document::of(&applied.inverse),
            ..self.without_catalogs(decided, applied)
        }
    }
}
