//! Sync responses and job views.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Outcome of requesting a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// A job was started.
    Triggered,
    /// A job was already running.
    Attached,
}

/// The response to `POST /connections/{id}/sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncTriggered {
    /// The connection.
    pub connection_id: Uuid,
    /// Airbyte's id of the job.
    pub job_id: String,
    /// Whether it was started now or was already running.
    pub status: SyncStatus,
    /// The status as text.
    pub message: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Airbyte's id of the job.
    pub job_id: String,
    /// The connection.
    pub connection_id: Uuid,
    /// `sync`, `refresh`, `reset` or `clear`.
    pub job_type: String,
    /// `pending`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// Rows synced.
    pub rows_synced: Option<i64>,
    /// Bytes synced.
    pub bytes_synced: Option<i64>,
    /// Attempts so far.
    pub attempts: i32,
    /// `aam`, or `airbyte` for its scheduler or a user there; absent while it is uncertain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error_message: Option<String>,
}
