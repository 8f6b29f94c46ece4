#![doc = include_str!("../README.md")]

mod catalog;
pub mod java_time;
mod line;
mod message;
mod narrow;
mod spec;

pub use catalog::{
    Catalog, ConfiguredCatalog, ConfiguredStream, DestinationSyncMode, Stream, StreamDescriptor,
    SyncMode,
};
pub use line::{Line, RecordLine, Text};
pub use message::{
    ControlMessage, ControlType, ErrorTrace, EstimateTrace, EstimateType, FailureType, GlobalState,
    LogLevel, LogMessage, Message, MessageType, RecordChange, RecordMessage, RecordMeta,
    StateMessage, StateStats, StateType, StreamState, StreamStatus, StreamStatusTrace,
    TraceMessage, TraceType,
};
pub use narrow::{Narrowed, narrow};
pub use spec::{CheckStatus, ConnectionStatus, ConnectorConfig, ConnectorSpecification};
