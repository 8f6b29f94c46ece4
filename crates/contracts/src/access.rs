//! Who may do what, and who did.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What the holder of a key may do; each may do what the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Onboards, syncs, heals, changes and deletes connections.
    Operator,
    /// Also keys, credentials and the audit log.
    Admin,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: &[Self] = &[Self::Viewer, Self::Operator, Self::Admin];

    /// The role that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// As it is written.
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
    /// What people call it; it stands in the audit log. No two keys in force have the same name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it ends by itself; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// An API key as it is shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// How it begins, to tell keys apart.
    pub prefix: String,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last shown, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The answer to `POST /keys`: the only one that ever holds the key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyCreated {
    /// The key: `aam_` and 64 hex digits. Only its digest is stored.
    pub key: String,
    /// What is known of it.
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

/// A change as the audit log tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id; later ones sort after earlier ones.
    pub id: Uuid,
    /// When.
    pub time: DateTime<Utc>,
    /// The service that made the change.
    pub service: String,
    /// Who asked for it: a key's name, or `aam` for what goes on by itself.
    pub actor: String,
    /// What the actor may do.
    pub role: String,
    /// What was done, for instance `connection.patch`.
    pub action: String,
    /// To what: a connection's, credential's or key's id.
    pub target: String,
    /// The connection, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<Uuid>,
    /// What changed, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// What changed, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// The request that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Whom a service takes its caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The key's name; a service's, where one calls.
    pub name: String,
    /// What the caller may do.
    pub role: Role,
}
