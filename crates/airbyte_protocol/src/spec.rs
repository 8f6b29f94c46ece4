//! A connector's specification.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::DestinationSyncMode;

/// A connector's specification: the schema of its configuration and what it can do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectorSpecification {
    /// JSON schema of the configuration; secrets carry `airbyte_secret: true`.
    #[serde(rename = "connectionSpecification")]
    pub connection_specification: Box<RawValue>,
    /// Where it is documented.
    #[serde(
        default,
        rename = "documentationUrl",
        skip_serializing_if = "Option::is_none"
    )]
    pub documentation_url: Option<String>,
    /// Whether a source can read incrementally.
    #[serde(
        default,
        rename = "supportsIncremental",
        skip_serializing_if = "Option::is_none"
    )]
    pub supports_incremental: Option<bool>,
    /// Write modes of a destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_destination_sync_modes: Vec<DestinationSyncMode>,
    /// How OAuth fills the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_auth: Option<Box<RawValue>>,
    /// Protocol version the connector speaks; 0.2.0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
}

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    /// The configuration works.
    Succeeded,
    /// It does not; the message states why.
    Failed,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// The verdict.
    pub status: CheckStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A connector's whole new configuration. It holds secrets: no `Debug` of its content.
#[derive(Clone, Serialize, Deserialize)]
pub struct ConnectorConfig {
    /// The configuration.
    pub config: Box<RawValue>,
}

impl std::fmt::Debug for ConnectorConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectorConfig(**********)")
    }
}
