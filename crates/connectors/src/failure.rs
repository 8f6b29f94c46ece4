//! Why a connector fails, in the protocol's terms.

use airbyte_protocol::{ErrorTrace, FailureType, StreamDescriptor};

/// A failure: words for users, and whose fault it is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) kind: FailureType,
    internal: Option<String>,
    stream: Option<StreamDescriptor>,
}

impl Failure {
    /// The configuration, the catalog or the command line is at fault.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::of(FailureType::ConfigError, message)
    }

    /// The connector or the machine is at fault.
    pub(crate) fn system(message: impl Into<String>) -> Self {
        Self::of(FailureType::SystemError, message)
    }

    /// It goes away by itself.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::of(FailureType::TransientError, message)
    }

    fn of(kind: FailureType, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind,
            internal: None,
            stream: None,
        }
    }

    /// Adds the cause, for developers.
    pub(crate) fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.internal = Some(cause.to_string());
        self
    }

    /// Names the stream it concerns.
    pub(crate) fn in_stream(mut self, stream: &StreamDescriptor) -> Self {
        self.stream.get_or_insert_with(|| stream.clone());
        self
    }

    pub(crate) fn to_trace(&self) -> ErrorTrace {
        ErrorTrace {
            message: self.message.clone(),
            internal_message: self.internal.clone(),
            stack_trace: None,
            failure_type: Some(self.kind),
            stream_descriptor: self.stream.clone(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::system("reading stdin or writing stdout failed").because(error)
    }
}
