//! The envelope and what travels in it between sources, destinations and the platform.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Catalog, ConnectionStatus, ConnectorSpecification, StreamDescriptor};

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageType {
    /// A row.
    Record,
    /// A checkpoint.
    State,
    /// A log line.
    Log,
    /// Errors, estimates and stream statuses.
    Trace,
    /// A request to the platform.
    Control,
    /// A connector's specification.
    Spec,
    /// The result of a check.
    ConnectionStatus,
    /// The result of a discover.
    Catalog,
    /// A type this version does not know.
    #[serde(other)]
    Unknown,
}

/// One line of a connector's stdin or stdout: a type and the member named by it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Which member is set.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Set when `kind` is `Record`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordMessage>,
    /// Set when `kind` is `State`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateMessage>,
    /// Set when `kind` is `Log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogMessage>,
    /// Set when `kind` is `Trace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceMessage>,
    /// Set when `kind` is `Control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlMessage>,
    /// Set when `kind` is `Spec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<ConnectorSpecification>,
    /// Set when `kind` is `ConnectionStatus`; camelCase on the wire.
    #[serde(
        default,
        rename = "connectionStatus",
        skip_serializing_if = "Option::is_none"
    )]
    pub connection_status: Option<ConnectionStatus>,
    /// Set when `kind` is `Catalog`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
}

impl Message {
    fn empty(kind: MessageType) -> Self {
        Self {
            kind,
            record: None,
            state: None,
            log: None,
            trace: None,
            control: None,
            spec: None,
            connection_status: None,
            catalog: None,
        }
    }

    /// An envelope around a record.
    pub fn record(record: RecordMessage) -> Self {
        Self {
            record: Some(record),
            ..Self::empty(MessageType::Record)
        }
    }

    /// An envelope around a checkpoint.
    pub fn state(state: StateMessage) -> Self {
        Self {
            state: Some(state),
            ..Self::empty(MessageType::State)
        }
    }

    /// An envelope around a log line.
    pub fn log(level: LogLevel, message: impl Into<String>) -> Self {
        let log = LogMessage {
            level,
            message: message.into(),
            stack_trace: None,
        };
        Self {
            log: Some(log),
            ..Self::empty(MessageType::Log)
        }
    }

    /// An envelope around a trace.
    pub fn trace(trace: TraceMessage) -> Self {
        Self {
            trace: Some(trace),
            ..Self::empty(MessageType::Trace)
        }
    }

    /// An envelope around a specification.
    pub fn spec(spec: ConnectorSpecification) -> Self {
        Self {
            spec: Some(spec),
            ..Self::empty(MessageType::Spec)
        }
    }

    /// An envelope around the result of a check.
    pub fn connection_status(status: ConnectionStatus) -> Self {
        Self {
            connection_status: Some(status),
            ..Self::empty(MessageType::ConnectionStatus)
        }
    }

    /// An envelope around the result of a discover.
    pub fn catalog(catalog: Catalog) -> Self {
        Self {
            catalog: Some(catalog),
            ..Self::empty(MessageType::Catalog)
        }
    }
}

/// A row of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordMessage {
    /// The stream's name.
    pub stream: String,
    /// The stream's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The row, a JSON object.
    pub data: Box<RawValue>,
    /// When the source read it, in milliseconds since the epoch.
    pub emitted_at: i64,
    /// What was changed on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<RecordMeta>,
}

/// What happened to a row's values on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMeta {
    /// One entry per value that was changed.
    #[serde(default)]
    pub changes: Vec<RecordChange>,
}

/// A value that was changed on the way, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordChange {
    /// The field's name.
    pub field: String,
    /// `NULLED` or `TRUNCATED`.
    pub change: String,
    /// The protocol's word for the reason, for instance `DESTINATION_TYPECAST_ERROR`.
    pub reason: String,
}

/// What a state message covers; absent on the wire means legacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StateType {
    /// One stream.
    Stream,
    /// All streams together.
    Global,
    /// One opaque value for the whole source.
    #[default]
    Legacy,
}

/// A checkpoint: everything before it need not be read again once it is saved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StateMessage {
    /// What it covers.
    #[serde(rename = "type", default)]
    pub kind: StateType,
    /// Set for stream states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamState>,
    /// Set for global states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<GlobalState>,
    /// Set for legacy states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// Number the platform gives each state so that an echo can be matched to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// What the source counted since its last state.
    #[serde(
        default,
        rename = "sourceStats",
        skip_serializing_if = "Option::is_none"
    )]
    pub source_stats: Option<StateStats>,
    /// What the destination counted since its last echo.
    #[serde(
        default,
        rename = "destinationStats",
        skip_serializing_if = "Option::is_none"
    )]
    pub destination_stats: Option<StateStats>,
}

/// The state of one stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamState {
    /// Which stream.
    pub stream_descriptor: StreamDescriptor,
    /// The connector's own value; absent or null when the stream has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_state: Option<Box<RawValue>>,
}

/// The state of all streams together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GlobalState {
    /// What the streams share (a log position, for instance).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_state: Option<Box<RawValue>>,
    /// Each stream's own part.
    #[serde(default)]
    pub stream_states: Vec<StreamState>,
}

/// Counts carried by a state; written as floats on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StateStats {
    /// Records covered.
    #[serde(
        default,
        rename = "recordCount",
        skip_serializing_if = "Option::is_none"
    )]
    pub record_count: Option<f64>,
    /// Records the destination refused.
    #[serde(
        default,
        rename = "rejectedRecordCount",
        skip_serializing_if = "Option::is_none"
    )]
    pub rejected_record_count: Option<f64>,
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LogLevel {
    /// The connector failed.
    Fatal,
    /// Something failed.
    Error,
    /// Something to look at.
    Warn,
    /// Progress.
    Info,
    /// Detail.
    Debug,
    /// More detail.
    Trace,
}

/// A log line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogMessage {
    /// How grave it is.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// Where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
}

/// What a trace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TraceType {
    /// A failure.
    Error,
    /// How much there is to read.
    Estimate,
    /// How far a stream is.
    StreamStatus,
    /// Usage figures.
    Analytics,
    /// A type this version does not know.
    #[serde(other)]
    Unknown,
}

/// Out-of-band news from a connector.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceMessage {
    /// Which member is set.
    #[serde(rename = "type")]
    pub kind: TraceType,
    /// Milliseconds since the epoch; connectors write fractions.
    pub emitted_at: f64,
    /// Set when `kind` is `Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorTrace>,
    /// Set when `kind` is `Estimate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateTrace>,
    /// Set when `kind` is `StreamStatus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_status: Option<StreamStatusTrace>,
}

impl TraceMessage {
    /// A failure, reported to the platform.
    pub fn error(emitted_at: f64, error: ErrorTrace) -> Self {
        let kind = TraceType::Error;
        Self {
            kind,
            emitted_at,
            error: Some(error),
            estimate: None,
            stream_status: None,
        }
    }

    /// A stream's progress, reported to the platform or, for `Complete`, to the destination.
    pub fn stream_status(emitted_at: f64, stream: StreamDescriptor, status: StreamStatus) -> Self {
        let stream_status = Some(StreamStatusTrace {
            stream_descriptor: stream,
            status,
        });
        let kind = TraceType::StreamStatus;
        Self {
            kind,
            emitted_at,
            error: None,
            estimate: None,
            stream_status,
        }
    }
}

/// Whose fault a failure is; decides whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureType {
    /// A defect or an outage.
    #[default]
    SystemError,
    /// The configuration: retrying does not help.
    ConfigError,
    /// Goes away by itself.
    TransientError,
}

/// A failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorTrace {
    /// The text for users.
    pub message: String,
    /// The text for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_message: Option<String>,
    /// Where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    /// Whose fault it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_type: Option<FailureType>,
    /// The stream it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_descriptor: Option<StreamDescriptor>,
}

/// What an estimate covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EstimateType {
    /// One stream.
    Stream,
    /// The whole sync.
    Sync,
}

/// How much there is to read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EstimateTrace {
    /// The stream's name.
    pub name: String,
    /// What it covers.
    #[serde(rename = "type")]
    pub kind: EstimateType,
    /// The stream's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Rows expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_estimate: Option<i64>,
    /// Bytes expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_estimate: Option<i64>,
}

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamStatus {
    /// Reading begins.
    Started,
    /// Rows arrive.
    Running,
    /// All rows were read.
    Complete,
    /// The stream ended early.
    Incomplete,
}

/// A stream's progress.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamStatusTrace {
    /// Which stream.
    pub stream_descriptor: StreamDescriptor,
    /// How far it is.
    pub status: StreamStatus,
}

/// What a control message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ControlType {
    /// Replace the stored configuration.
    ConnectorConfig,
    /// A type this version does not know.
    #[serde(other)]
    Unknown,
}

/// A request to the platform. Losing one can lock users out: refresh tokens rotate through it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ControlMessage {
    /// What it asks for.
    #[serde(rename = "type")]
    pub kind: ControlType,
    /// Milliseconds since the epoch.
    #[serde(default)]
    pub emitted_at: f64,
    /// The whole new configuration.
    #[serde(
        default,
        rename = "connectorConfig",
        skip_serializing_if = "Option::is_none"
    )]
    pub connector_config: Option<crate::ConnectorConfig>,
}
