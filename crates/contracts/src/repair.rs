//! Plans, heals and applied catalogs.

use airbyte_protocol::StreamDescriptor;
use catalog::plan::{Acceptance, Decisions, Plan, RefreshMode};
use catalog::renames::Sketches;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// The answer to `POST /repair/apply_new_catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApplyAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The version before.
    pub previous_version: i32,
    /// The version now; the same when nothing differed.
    pub new_version: i32,
    /// That it worked.
    pub status: ApplyStatus,
    /// The same in words.
    pub message: String,
}

/// That an applied catalog took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplyStatus {
    /// It did.
    Success,
}

/// `POST /repair/plan`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The connection.
    pub connection_id: Uuid,
    /// A catalog to plan for; absent: what the source offers now.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub new_sync_catalog: Option<Box<RawValue>>,
    /// Decisions to show the outcome of; absent: what applies by itself.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub decisions: Decisions,
    /// Salted sketches of the values of columns that left and came: evidence for renames.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub sketches: Option<Sketches>,
}

/// The answer to `POST /repair/plan`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The version the plan starts from.
    pub version: i32,
    /// What changed and what is to be done.
    #[schema(value_type = Object)]
    pub plan: Plan,
    /// To be sent along with a heal that means exactly this plan.
    pub plan_hash: String,
    /// The plan in words.
    pub text: String,
    /// What to know before the next sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `POST /repair/heal`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealRequest {
    /// The connection.
    pub connection_id: Uuid,
    /// Only if this is still the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Which proposals are accepted; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub accept: Option<Acceptance>,
    /// Ids of changes whose old shape stays, also of those that would apply by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defer: Vec<String>,
    /// Ids of additions that are kept out, and of renames that are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<String>,
    /// The sketches that the plan was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub sketches: Option<Sketches>,
}

/// `POST /connections/{id}/heal`: a heal whose connection is in the path.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealBody {
    /// Only if this is still the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Which proposals are accepted; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub accept: Option<Acceptance>,
    /// Ids of changes whose old shape stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defer: Vec<String>,
    /// Ids of additions that are kept out, and of renames that are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<String>,
    /// The sketches that the plan was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub sketches: Option<Sketches>,
}

impl HealBody {
    /// The heal of that connection.
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
    /// What the caller decided about the plan's changes.
    pub fn decisions(&self) -> Decisions {
        Decisions {
            accept: self.accept.clone().unwrap_or_default(),
            defer: self.defer.clone(),
            reject: self.reject.clone(),
        }
    }
}

/// What came of a heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealOutcome {
    /// The source offers what the version says.
    NoDrift,
    /// A new version is in force.
    Healed,
    /// Nothing was harmless enough; everything waits for acceptance.
    Proposed,
    /// The policy switched the connection off.
    Paused,
    /// A job runs; the heal goes on when it ends.
    Waiting,
}

impl HealOutcome {
    /// The word for it.
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

/// The answer to `POST /repair/heal`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HealAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// What came of it.
    pub outcome: HealOutcome,
    /// What changed; absent while a job is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub plan: Option<Plan>,
    /// The plan in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<i32>,
    /// The version now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_version: Option<i32>,
    /// Ids of the changes that still wait for acceptance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// The operation that starts the refresh and sync which follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_operation_id: Option<Uuid>,
    /// What was done and what to know, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// `POST /repair/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The connection.
    pub connection_id: Uuid,
    /// The version whose catalog is put in force again.
    pub version: i32,
    /// Only if the connection is at this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i32>,
}

/// `POST /connections/{id}/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// The version whose catalog is put in force again.
    pub version: i32,
    /// Only if the connection is at this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i32>,
}

impl RollbackBody {
    /// The same for a connection.
    pub fn of(self, connection_id: Uuid) -> RollbackRequest {
        RollbackRequest {
            connection_id,
            version: self.version,
            expected_version: self.expected_version,
        }
    }
}

/// The answer to a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollbackAnswer {
    /// The connection.
    pub connection_id: Uuid,
    /// The version before.
    pub previous_version: i32,
    /// The version now; the one before when its catalog is the same.
    pub new_version: i32,
    /// The same in words, and what a rollback does not restore.
    pub message: String,
}

/// What the agent asks of the orchestrator in an operation of kind `sync`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// Streams to read again before the plain sync.
    #[serde(default)]
    pub refresh: Vec<(StreamDescriptor, RefreshMode)>,
}

impl SyncRequest {
    /// Adds what another one asks for. A stream in both keeps the mode that drops more: what a
    /// truncation was needed for is not cured by a merge.
    pub fn add(&mut self, other: Self) {
        for (stream, mode) in other.refresh {
            match self.refresh.iter_mut().find(|(known, _)| *known == stream) {
                Some((_, known)) => *known = (*known).max(mode),
                None => self.refresh.push((stream, mode)),
            }
        }
    }
}
