//! Credentials of the auth broker.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Replaces a secret in responses.
pub const REDACTED: &str = "**********";

/// The content of a credential's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Members of the connector's configuration, unchanged.
    Raw,
}

/// `PUT /credentials/{credential_id}`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    /// The only source type that it may be used for.
    pub source_type: String,
    /// The content of `secret`.
    pub kind: CredentialKind,
    /// Sealed before it is stored, and never returned.
    #[schema(value_type = Object)]
    pub secret: serde_json::Map<String, serde_json::Value>,
    /// Members that are not secret.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl std::fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRequest")
            .field("source_type", &self.source_type)
            .finish_non_exhaustive()
    }
}

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CredentialMetadata {
    /// Its id.
    pub credential_id: String,
    /// The only source type that it may be used for.
    pub source_type: String,
    /// The content of its secret.
    pub kind: CredentialKind,
    /// `environment` or `vault`.
    pub origin: String,
    /// Its configuration, with masked secrets.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Map<String, serde_json::Value>,
    /// When it was stored; absent for credentials from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// A credential's values, exchanged between services only.
#[derive(Clone, Serialize, Deserialize)]
pub struct CredentialValues {
    /// Members of the connector's configuration, ready for Airbyte.
    #[serde(flatten)]
    pub configuration: serde_json::Map<String, serde_json::Value>,
}

impl std::fmt::Debug for CredentialValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialValues(**********)")
    }
}

/// What the auth broker stores sealed for an operation that another process may have to resume.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedRequest {
    /// The caller's part of a connector's configuration. Contains secrets.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Map<String, serde_json::Value>,
}
