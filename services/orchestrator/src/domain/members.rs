//! Reading a body member by member, so that every one of the wrong type is told, not the first
//! alone. Members that nobody asks for are ignored.

use contracts::FieldError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The members of an object in a body, and what is wrong with those that were taken.
pub(crate) struct Members {
    members: Map<String, Value>,
    /// Put before the names in faults; empty, or ending in a dot.
    path: String,
    faults: Vec<FieldError>,
}

impl Members {
    /// The body itself.
    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self {
            members,
            path: String::new(),
            faults: Vec::new(),
        }
    }

    /// The object that is the member `name`; none where that is absent or no object.
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

    /// A member that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &str, wanted: &str) -> Option<T> {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.fault(name, format!("is required: {wanted}"));
            return None;
        }
        self.optional(name, wanted)
    }

    /// Something is wrong with a member.
    pub(crate) fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push(FieldError {
            field: format!("{}{name}", self.path),
            message: message.into(),
        });
    }

    /// Whether something is wrong with one of these already.
    pub(crate) fn is_faulty(&self, names: &[&str]) -> bool {
        let path = self.path.len();
        self.faults
            .iter()
            .any(|fault| names.iter().any(|name| fault.field[path..] == **name))
    }

    /// Takes over what is wrong with an object inside.
    pub(crate) fn absorb(&mut self, inner: Self) {
        self.faults.extend(inner.faults);
    }

    /// What was read, if nothing was wrong.
    ///
    /// # Errors
    /// Every fault, in the order the members were taken.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<FieldError>> {
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            _ => Err(self.faults),
        }
    }
}
