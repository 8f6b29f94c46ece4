//! The faults of a catalog or of a request about one: all of them, not only the first.

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};

/// A fault with its location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its path: `$.streams[2].stream.json_schema`; empty for the whole document.
    pub path: String,
    /// The stream that it concerns, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamDescriptor>,
    /// The message, which is understandable without the path and names the stream.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            stream: None,
            message: message.into(),
        }
    }

    pub(crate) fn of(
        path: impl Into<String>,
        stream: StreamDescriptor,
        message: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            stream: Some(stream),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// All faults of one document. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    /// Returns `value` if there are no faults.
    pub(crate) fn unless_any<T>(faults: Vec<Fault>, value: T) -> Result<T, Self> {
        if faults.is_empty() {
            Ok(value)
        } else {
            Err(Self(faults))
        }
    }
}
