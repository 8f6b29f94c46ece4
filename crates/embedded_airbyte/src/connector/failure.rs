//! `FailureReason`: what went wrong in a connector, as jobs and synchronous calls report it.

use airbyte_protocol::{ErrorTrace, FailureType, StreamDescriptor};
use serde::{Deserialize, Serialize};

use crate::secrets::Redactor;
use crate::time::now_ms;

/// Whose failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    Source,
    Destination,
    Replication,
    AirbytePlatform,
}

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    ConfigError,
    SystemError,
    ManualCancellation,
    TransientError,
    RefreshSchema,
    HeartbeatTimeout,
    DestinationTimeout,
}

impl Kind {
    fn is_retryable(self) -> bool {
        match self {
            Self::ConfigError | Self::ManualCancellation | Self::RefreshSchema => false,
            Self::SystemError
            | Self::TransientError
            | Self::HeartbeatTimeout
            | Self::DestinationTimeout => true,
        }
    }
}

/// One failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureReason {
    pub(crate) failure_origin: Origin,
    pub(crate) failure_type: Kind,
    pub(crate) external_message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) internal_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stacktrace: Option<String>,
    pub(crate) retryable: bool,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) from_trace_message: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stream_descriptor: Option<StreamDescriptor>,
}

impl FailureReason {
    /// A failure that the engine noticed.
    pub(crate) fn new(origin: Origin, kind: Kind, message: impl Into<String>) -> Self {
        Self {
            failure_origin: origin,
            failure_type: kind,
            external_message: message.into(),
            internal_message: None,
            stacktrace: None,
            retryable: kind.is_retryable(),
            timestamp: now_ms(),
            from_trace_message: false,
            stream_descriptor: None,
        }
    }

    /// A failure that the connector reported.
    pub(crate) fn from_trace(origin: Origin, trace: ErrorTrace, redactor: &Redactor) -> Self {
        let kind = match trace.failure_type.unwrap_or_default() {
            FailureType::SystemError => Kind::SystemError,
            FailureType::ConfigError => Kind::ConfigError,
            FailureType::TransientError => Kind::TransientError,
        };
        Self {
            internal_message: trace.internal_message.map(|text| redactor.clean(&text)),
            stacktrace: trace.stack_trace.map(|text| redactor.clean(&text)),
            from_trace_message: true,
            stream_descriptor: trace.stream_descriptor,
            ..Self::new(origin, kind, redactor.clean(&trace.message))
        }
    }

    /// With detail for developers.
    pub(crate) fn with_internal(mut self, detail: impl Into<String>) -> Self {
        self.internal_message = Some(detail.into());
        self
    }
}
