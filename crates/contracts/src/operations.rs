//! Operation views.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A durable operation in several steps, which survives a crash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationView {
    /// Its id.
    pub id: Uuid,
    /// `onboard`, `update`, `delete`, `trigger`, `heal`, `rollback`, `sync`, or, for a source or
    /// destination, `create_actor`, `delete_actor`.
    pub kind: String,
    /// The connection that it concerns; for a source or destination, the id in its ownership tag.
    pub connection_id: Uuid,
    /// `pending`, `running`, `settling`, `succeeded` or `failed`.
    pub status: String,
    /// Its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its steps, in the order in which they started.
    pub steps: Vec<StepView>,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// One attempt at a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Its name.
    pub step: String,
    /// Attempt number, from 0.
    pub attempt: i32,
    /// `intended`, `done`, `failed` or `undone`.
    pub status: String,
    /// The id of the object that it created in Airbyte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}
