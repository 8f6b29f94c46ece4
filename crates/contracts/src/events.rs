//! What happened, as it is told to whoever listens: names and payloads, versioned.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Version of the payloads. Members may be added within a version, never removed or changed.
pub const EVENT_VERSION: u32 = 1;

/// What happened, with what there is to know about it.
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
    /// A repair put a new catalog version in force.
    #[serde(rename = "connection.healed")]
    ConnectionHealed {
        /// The version before.
        previous_version: i32,
        /// The version now.
        new_version: i32,
    },
    /// An earlier catalog version is in force again, under a new number.
    #[serde(rename = "connection.rolled_back")]
    ConnectionRolledBack {
        /// The version whose catalog it is.
        to_version: i32,
        /// The version before.
        previous_version: i32,
        /// The version now.
        new_version: i32,
    },
    /// An onboarding, or the undoing of a repair, failed.
    #[serde(rename = "connection.failed")]
    ConnectionFailed {
        /// Why.
        reason: String,
    },
    /// Name, schedule, drift policy or status were changed by a person or program.
    #[serde(rename = "connection.updated")]
    ConnectionUpdated {
        /// What was changed.
        fields: Vec<String>,
    },
    /// The connection's policy stopped it over a change.
    #[serde(rename = "connection.paused")]
    ConnectionPaused {
        /// Ids of the changes.
        changes: Vec<String>,
    },
    /// A connection was deleted.
    #[serde(rename = "connection.deleted")]
    ConnectionDeleted {
        /// The name it had.
        name: String,
    },
    /// A source was made that connections share.
    #[serde(rename = "source.created")]
    SourceCreated {
        /// Its id in Airbyte.
        source_id: Uuid,
        /// Its name.
        name: String,
        /// Its type.
        source_type: String,
    },
    /// A source was removed.
    #[serde(rename = "source.deleted")]
    SourceDeleted {
        /// The id it had in Airbyte.
        source_id: Uuid,
        /// The name it had.
        name: String,
    },
    /// A destination was made.
    #[serde(rename = "destination.created")]
    DestinationCreated {
        /// Its id in Airbyte.
        destination_id: Uuid,
        /// Its name.
        name: String,
        /// Its type.
        destination_type: String,
    },
    /// A destination was removed; what was written to it stays.
    #[serde(rename = "destination.deleted")]
    DestinationDeleted {
        /// The id it had in Airbyte.
        destination_id: Uuid,
        /// The name it had.
        name: String,
    },
    /// The source offers something else than the version in force.
    #[serde(rename = "drift.detected")]
    DriftDetected {
        /// The version it was compared with.
        version: i32,
        /// Names the plan.
        plan_hash: String,
        /// How many changes.
        changes: usize,
    },
    /// A repair waits for a decision.
    #[serde(rename = "repair.proposed")]
    RepairProposed {
        /// The version it would follow.
        version: i32,
        /// Names the plan.
        plan_hash: String,
        /// Ids of the changes that wait.
        pending: Vec<String>,
    },
    /// A job of the connection began.
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
        /// Rows that arrived.
        rows: Option<i64>,
        /// Bytes that arrived.
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
    /// A job of the connection was cancelled.
    #[serde(rename = "sync.cancelled")]
    SyncCancelled {
        /// Airbyte's id of the job.
        job_id: String,
        /// `sync`, `refresh`, `reset` or `clear`.
        job_type: String,
    },
}

impl Event {
    /// The names of all.
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

    /// Its name, for instance `connection.onboarded`.
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

/// An event as it is told: `GET /events` and Redis carry this document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its place in the order of events; a listener goes on after the last one it saw.
    pub sequence: i64,
    /// Its id; the same event told twice has the same.
    pub id: Uuid,
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The connection it is about.
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
    fn every_event_is_among_the_names() {
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
    fn an_event_reads_back_under_its_name() {
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
