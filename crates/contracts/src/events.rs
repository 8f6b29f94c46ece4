//! Events: kinds and payloads, versioned.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Version of the payloads. Members may be added within a version, never removed or changed.
pub const EVENT_VERSION: u32 = 1;

/// An event with its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A connection was onboarded: it is ACTIVE with catalog version 1.
    #[serde(rename = "connection.onboarded")]
    ConnectionOnboarded {
        /// Its name.
        name: String,
        /// Its source's type.
        source_type: String,
        /// The connection in Airbyte.
        airbyte_connection_id: Uuid,
    },
    /// A repair applied a new catalog version.
    #[serde(rename = "connection.healed")]
    ConnectionHealed {
        /// The previous version.
        previous_version: i32,
        /// The new version.
        new_version: i32,
    },
    /// The connection was rolled back to an earlier catalog version, under a new number.
    #[serde(rename = "connection.rolled_back")]
    ConnectionRolledBack {
        /// The version that it was rolled back to.
        to_version: i32,
        /// The previous version.
        previous_version: i32,
        /// The new version.
        new_version: i32,
    },
    /// An onboarding, or the rollback of a repair, failed.
    #[serde(rename = "connection.failed")]
    ConnectionFailed {
        /// Why.
        reason: String,
    },
    /// A caller changed name, schedule, drift policy or status.
    #[serde(rename = "connection.updated")]
    ConnectionUpdated {
        /// The changed members.
        fields: Vec<String>,
    },
    /// The connection's policy stopped it because of a change.
    #[serde(rename = "connection.paused")]
    ConnectionPaused {
        /// Ids of the changes.
        changes: Vec<String>,
    },
    /// A connection was deleted.
    #[serde(rename = "connection.deleted")]
    ConnectionDeleted {
        /// Its name.
        name: String,
    },
    /// A shared source was created.
    #[serde(rename = "source.created")]
    SourceCreated {
        /// Its id in Airbyte.
        source_id: Uuid,
        /// Its name.
        name: String,
        /// Its type.
        source_type: String,
    },
    /// A source was deleted.
    #[serde(rename = "source.deleted")]
    SourceDeleted {
        /// Its id in Airbyte.
        source_id: Uuid,
        /// Its name.
        name: String,
    },
    /// A destination was created.
    #[serde(rename = "destination.created")]
    DestinationCreated {
        /// Its id in Airbyte.
        destination_id: Uuid,
        /// Its name.
        name: String,
        /// Its type.
        destination_type: String,
    },
    /// A destination was deleted; the data written to it stays.
    #[serde(rename = "destination.deleted")]
    DestinationDeleted {
        /// Its id in Airbyte.
        destination_id: Uuid,
        /// Its name.
        name: String,
    },
    /// The source offers something other than the current version.
    #[serde(rename = "drift.detected")]
    DriftDetected {
        /// The version that it was compared with.
        version: i32,
        /// The plan's hash.
        plan_hash: String,
        /// The number of changes.
        changes: usize,
    },
    /// A repair awaits a decision.
    #[serde(rename = "repair.proposed")]
    RepairProposed {
        /// The version that it would replace.
        version: i32,
        /// The plan's hash.
        plan_hash: String,
        /// Ids of the pending changes.
        pending: Vec<String>,
    },
    /// A job of the connection started.
    #[serde(rename = "sync.started")]
    SyncStarted {
        /// Airbyte's id of the job.
        job_id: String,
        /// `sync`, `refresh`, `reset` or `clear`.
        job_type: String,
    },
    /// A job of the connection succeeded.
    #[serde(rename = "sync.succeeded")]
    SyncSucceeded {
        /// Airbyte's id of the job.
        job_id: String,
        /// `sync`, `refresh`, `reset` or `clear`.
        job_type: String,
        /// Rows synced.
        rows: Option<i64>,
        /// Bytes synced.
        bytes: Option<i64>,
    },
    /// A job of the connection failed.
    #[serde(rename = "sync.failed")]
    SyncFailed {
        /// Airbyte's id of the job.
        job_id: String,
        /// `sync`, `refresh`, `reset` or `clear`.
        job_type: String,
        /// Why.
        reason: Option<String>,
    },
    /// A job of the connection was canceled.
    #[serde(rename = "sync.cancelled")]
    SyncCancelled {
        /// Airbyte's id of the job.
        job_id: String,
        /// `sync`, `refresh`, `reset` or `clear`.
        job_type: String,
    },
}

impl Event {
    /// The names of all kinds.
    pub const NAMES: &'static [&'static str] = &[
        "connection.onboarded",
        "connection.healed",
        "connection.rolled_back",
        "connection.failed",
        "connection.updated",
        "connection.paused",
        "connection.deleted",
        "source.created",
        "source.deleted",
        "destination.created",
        "destination.deleted",
        "drift.detected",
        "repair.proposed",
        "sync.started",
        "sync.succeeded",
        "sync.failed",
        "sync.cancelled",
    ];

    /// Its kind's name, for example `connection.onboarded`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConnectionOnboarded { .. } => "connection.onboarded",
            Self::ConnectionHealed { .. } => "connection.healed",
            Self::ConnectionRolledBack { .. } => "connection.rolled_back",
            Self::ConnectionFailed { .. } => "connection.failed",
            Self::ConnectionUpdated { .. } => "connection.updated",
            Self::ConnectionPaused { .. } => "connection.paused",
            Self::ConnectionDeleted { .. } => "connection.deleted",
            Self::SourceCreated { .. } => "source.created",
            Self::SourceDeleted { .. } => "source.deleted",
            Self::DestinationCreated { .. } => "destination.created",
            Self::DestinationDeleted { .. } => "destination.deleted",
            Self::DriftDetected { .. } => "drift.detected",
            Self::RepairProposed { .. } => "repair.proposed",
            Self::SyncStarted { .. } => "sync.started",
            Self::SyncSucceeded { .. } => "sync.succeeded",
            Self::SyncFailed { .. } => "sync.failed",
            Self::SyncCancelled { .. } => "sync.cancelled",
        }
    }
}

/// A published event: `GET /events` and Redis carry this document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its sequence number; a listener resumes after the last one that it received.
    pub sequence: i64,
    /// Its id; an event that is delivered twice has the same id.
    pub id: Uuid,
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The connection that it concerns.
    pub connection_id: Option<Uuid>,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// The request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_contains_every_event() {
        let written = include_str!("events.rs");
        let declared: Vec<&str> = written
            .lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("#[serde(rename = \"")?
                    .strip_suffix("\")]")
            })
            .collect();
        assert_eq!(declared, Event::NAMES);
    }

    #[test]
    fn an_event_round_trips() {
        let event = Event::SyncFailed {
            job_id: "7".into(),
            job_type: "sync".into(),
            reason: None,
        };
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(written["type"], event.name());
        assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
    }
}
