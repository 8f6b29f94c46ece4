//! Parses a body member by member, so that every wrong type is reported, not only the first.
//! Ignores unknown members.

use contracts::FieldError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The members of an object in a body, and the faults of those that were read.
pub(crate) struct Members {
    members: Map<String, Value>,
    /// Prefix of names in faults; empty, or ending in a dot.
    path: String,
    faults: Vec<FieldError>,
}

impl Members {
    /// The members of the body itself.
    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self {
            members,
            path: String::new(),
            faults: Vec::new(),
        }
    }

    /// The object in the member `name`; none if that is absent or not an object.
    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        let members = self.optional(name, "an object")?;
        Some(Self {
            members,
            path: format!("{}{name}.", self.path),
            faults: Vec::new(),
        })
    }

    /// A member that may be absent or null; `wanted` completes "must be".
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, name: &str, wanted: &str) -> Option<T> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(_) => {
                self.fault(name, format!("must be {wanted}"));
                None
            }
        }
    }

    /// A required member.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &str, wanted: &str) -> Option<T> {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.fault(name, format!("is required: {wanted}"));
            return None;
        }
        self.optional(name, wanted)
    }

    /// Adds a fault of a member.
    pub(crate) fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push(FieldError {
            field: format!("{}{name}", self.path),
            message: message.into(),
        });
    }

    /// Whether one of these members already has a fault.
    pub(crate) fn is_faulty(&self, names: &[&str]) -> bool {
        let path = self.path.len();
        self.faults
            .iter()
            .any(|fault| names.iter().any(|name| fault.field[path..] == **name))
    }

    /// Adds the faults of a nested object.
    pub(crate) fn absorb(&mut self, inner: Self) {
        self.faults.extend(inner.faults);
    }

    /// Returns what was parsed if there are no faults.
    ///
    /// # Errors
    /// Returns every fault, in the order in which the members were read.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<FieldError>> {
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            _ => Err(self.faults),
        }
    }
}
