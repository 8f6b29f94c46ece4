//! Roles, API keys and the audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The permissions of a key; each role includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Onboards, syncs, heals, changes and deletes connections.
    Operator,
    /// Also manages keys and credentials and reads the audit log.
    Admin,
}

impl Role {
    /// All roles, in ascending order.
    pub const ALL: &[Self] = &[Self::Viewer, Self::Operator, Self::Admin];

    /// Parses a role.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// The role's JSON spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// `POST /keys`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Its name, which the audit log shows. Unique among active keys.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The role that it grants.
    pub role: Role,
    /// When it expires; default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// An API key without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The role that it grants.
    pub role: Role,
    /// Its first characters, to distinguish keys.
    pub prefix: String,
    /// The name of the caller who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The response to `POST /keys`: the only one that ever contains the key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyCreated {
    /// The key: `aam_` and 64 hex digits. Only its hash is stored.
    pub key: String,
    /// Its metadata.
    #[serde(flatten)]
    pub view: KeyView,
}

impl std::fmt::Debug for KeyCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCreated")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id; ids sort by time.
    pub id: Uuid,
    /// When the change was made.
    pub time: DateTime<Utc>,
    /// The service that made the change.
    pub service: String,
    /// Who requested it: a key's name, or `aam` for background work.
    pub actor: String,
    /// The actor's role.
    pub role: String,
    /// The action, for example `connection.patch`.
    pub action: String,
    /// The target: a connection's, credential's or key's id.
    pub target: String,
    /// The connection, if the change concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<Uuid>,
    /// The old value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// The new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// The request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The identity that a service authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The key's name, or the calling service's.
    pub name: String,
    /// The caller's role.
    pub role: Role,
}
