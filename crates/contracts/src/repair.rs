//! Plans, heals and applied catalogs.

use airbyte_protocol::StreamDescriptor;
use catalog::plan::{Acceptance, Decisions, Plan, RefreshMode};
use catalog::renames::Sketches;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// The response to `POST /repair/apply_new_catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApplyAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The previous version.
    pub previous_version: i32,
    /// The new version; equal to the previous one if nothing differed.
    pub new_version: i32,
    /// Always `success`; failures are problems.
    pub status: ApplyStatus,
    /// The outcome as text.
    pub message: String,
}

/// The status of an applied catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplyStatus {
    /// The catalog is applied.
    Success,
}

/// `POST /repair/plan`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The connection.
    pub connection_id: Uuid,
    /// A catalog to plan for; default: what the source offers now.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub new_sync_catalog: Option<Box<RawValue>>,
    /// Decisions to show the outcome of; default: only what applies without approval.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub decisions: Decisions,
    /// Salted sketches of the values of removed and added columns: evidence for renames.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub sketches: Option<Sketches>,
}

/// The response to `POST /repair/plan`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The version the plan starts from.
    pub version: i32,
    /// The changes and what is to be done.
    #[schema(value_type = Object)]
    pub plan: Plan,
    /// Sent with a heal to accept exactly this plan.
    pub plan_hash: String,
    /// The plan as text.
    pub text: String,
    /// Warnings about the next sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `POST /repair/heal`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealRequest {
    /// The connection.
    pub connection_id: Uuid,
    /// Heals only if the plan still has this hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// The proposals to accept; default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub accept: Option<Acceptance>,
    /// Ids of changes whose old shape stays, even if they would apply without approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defer: Vec<String>,
    /// Ids of additions to leave out, and of renames to treat as a removal and an addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<String>,
    /// The sketches with which the plan was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub sketches: Option<Sketches>,
}

/// `POST /connections/{id}/heal`: a heal whose connection is in the path.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealBody {
    /// Heals only if the plan still has this hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// The proposals to accept; default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub accept: Option<Acceptance>,
    /// Ids of changes whose old shape stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defer: Vec<String>,
    /// Ids of additions to leave out, and of renames to treat as a removal and an addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<String>,
    /// The sketches with which the plan was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub sketches: Option<Sketches>,
}

impl HealBody {
    /// The heal request for that connection.
    pub fn of(self, connection_id: Uuid) -> HealRequest {
        HealRequest {
            connection_id,
            plan_hash: self.plan_hash,
            accept: self.accept,
            defer: self.defer,
            reject: self.reject,
            sketches: self.sketches,
        }
    }
}

impl HealRequest {
    /// The caller's decisions about the plan's changes.
    pub fn decisions(&self) -> Decisions {
        Decisions {
            accept: self.accept.clone().unwrap_or_default(),
            defer: self.defer.clone(),
            reject: self.reject.clone(),
        }
    }
}

/// Outcome of a heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealOutcome {
    /// The source offers what the version describes.
    NoDrift,
    /// A new version was applied.
    Healed,
    /// No change was harmless enough; all await acceptance.
    Proposed,
    /// The policy deactivated the connection.
    Paused,
    /// A job is running; the heal continues when it ends.
    Waiting,
}

impl HealOutcome {
    /// The JSON spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoDrift => "no_drift",
            Self::Healed => "healed",
            Self::Proposed => "proposed",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
        }
    }
}

/// The response to `POST /repair/heal`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HealAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The outcome.
    pub outcome: HealOutcome,
    /// The changes; absent while waiting for a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub plan: Option<Plan>,
    /// The plan as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The previous version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<i32>,
    /// The new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_version: Option<i32>,
    /// Ids of the changes that still await acceptance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// The operation that starts the subsequent refresh and sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_operation_id: Option<Uuid>,
    /// Notes on what was done and what to expect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// `POST /repair/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The connection.
    pub connection_id: Uuid,
    /// The version to roll back to.
    pub version: i32,
    /// Rolls back only if the connection is at this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i32>,
}

/// `POST /connections/{id}/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// The version to roll back to.
    pub version: i32,
    /// Rolls back only if the connection is at this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i32>,
}

impl RollbackBody {
    /// The rollback request for that connection.
    pub fn of(self, connection_id: Uuid) -> RollbackRequest {
        RollbackRequest {
            connection_id,
            version: self.version,
            expected_version: self.expected_version,
        }
    }
}

/// The response to a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollbackAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The previous version.
    pub previous_version: i32,
    /// The new version; equal to the previous one if the catalogs are equal.
    pub new_version: i32,
    /// The outcome as text, and what a rollback does not restore.
    pub message: String,
}

/// The agent's request to the orchestrator in an operation of kind `sync`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// Streams to refresh before the plain sync.
    #[serde(default)]
    pub refresh: Vec<(StreamDescriptor, RefreshMode)>,
}

impl SyncRequest {
    /// Merges another request. A stream in both keeps the mode that drops more: where a truncation
    /// is needed, a merge does not suffice.
    pub fn add(&mut self, other: Self) {
        for (stream, mode) in other.refresh {
            match self.refresh.iter_mut().find(|(known, _)| *known == stream) {
                Some((_, known)) => *known = (*known).max(mode),
                None => self.refresh.push((stream, mode)),
            }
        }
    }
}
