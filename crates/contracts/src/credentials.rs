//! Credentials of the auth broker.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What stands where a secret would.
pub const REDACTED: &str = "**********";

/// What a credential's secret holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Members of the connector's configuration as they are.
    Raw,
}

/// `PUT /credentials/{credential_id}`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    /// The source type it may be used for, and no other.
    pub source_type: String,
    /// What `secret` holds.
    pub kind: CredentialKind,
    /// Sealed before it is stored, and never shown again.
    #[schema(value_type = Object)]
    pub secret: serde_json::Map<String, serde_json::Value>,
    /// Members that are no secrets.
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
    /// The source type it may be used for.
    pub source_type: String,
    /// What its secret holds.
    pub kind: CredentialKind,
    /// `environment` or `vault`.
    pub origin: String,
    /// Its configuration, every secret starred.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Map<String, serde_json::Value>,
    /// When it was stored; absent for those of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// A credential's values, between services only.
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

/// What the auth broker keeps sealed for an operation that another process may have to go on with.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedRequest {
    /// The caller's part of a connector's configuration. Holds secrets.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Map<String, serde_json::Value>,
}
