//! Operations as they are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Work in several steps that survives the process doing it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationView {
    /// Its id.
    pub id: Uuid,
    /// `onboard`, `update`, `delete`, `trigger`, `heal`, `rollback`, `sync`, or of a source or
    /// destination `create_actor`, `delete_actor`.
    pub kind: String,
    /// The connection it is about; of a source or destination the id in its mark.
    pub connection_id: Uuid,
    /// `pending`, `running`, `settling`, `succeeded` or `failed`.
    pub status: String,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its steps, in the order they began.
    pub steps: Vec<StepView>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
}

/// One attempt at one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Its name.
    pub step: String,
    /// From 0.
    pub attempt: i32,
    /// `intended`, `done`, `failed` or `undone`.
    pub status: String,
    /// What it made in Airbyte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
}
