//! Converts rows to API views.

use crate::domain::schedule;
use chrono::{DateTime, Utc};
use contracts::{ConnectionView, DriftPolicy, JobView, OperationView, Schedule, StepView};
use shared::registry::entities::{connection, job, operation, operation_step};
use shared::registry::status::ConnectionStatus;

/// A connection's view; `instance` is the configured Airbyte.
pub(crate) fn connection(row: &connection::Model, instance: &str) -> ConnectionView {
    ConnectionView {
        id: row.id,
        name: row.name.clone(),
        source_type: row.source_type.clone(),
        status: row.status.as_str().to_owned(),
        status_reason: row.status_reason.clone(),
        airbyte_source_id: row.airbyte_source_id,
        airbyte_connection_id: row.airbyte_connection_id,
        destination_id: row.destination_id,
        workspace_id: row.workspace_id,
        credential_id: row.credential_id.clone(),
        drift_policy: DriftPolicy::from_stored(&row.drift_policy),
        schedule: serde_json::from_str(&row.schedule).unwrap_or_default(),
        next_runs: Vec::new(),
        last_synced_at: row.last_synced_at,
        catalog_version: row.current_version,
        other_instance: row.airbyte_instance != instance,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// The next `count` scheduled runs of a connection; none unless it is ACTIVE. An interval counts
/// from its newest job.
pub(crate) fn next_runs(
    row: &connection::Model,
    newest: Option<&job::Model>,
    now: DateTime<Utc>,
    count: usize,
) -> Vec<DateTime<Utc>> {
    if row.status != ConnectionStatus::Active {
        return Vec::new();
    }
    let written: Schedule = serde_json::from_str(&row.schedule).unwrap_or_default();
    let last = newest.map(|job| job.started_at.unwrap_or(job.created_at));
    let parsed = schedule::parse(&written);
    parsed.map_or_else(|_| Vec::new(), |parsed| parsed.next_runs(now, last, count))
}

/// A job's view.
pub(crate) fn job(row: &job::Model) -> JobView {
    JobView {
        job_id: row.airbyte_job_id.clone(),
        connection_id: row.connection_id,
        job_type: row.job_type.clone(),
        status: row.status.as_str().to_owned(),
        rows_synced: row.rows_synced,
        bytes_synced: row.bytes_synced,
        attempts: row.attempts,
        started_by: row.started_by.clone(),
        started_at: row.started_at,
        completed_at: row.completed_at,
        error_message: row.error_message.clone(),
    }
}

/// An operation's view with its steps. Intents are not exposed: they may contain whole catalogs.
pub(crate) fn operation(row: &operation::Model, steps: &[operation_step::Model]) -> OperationView {
    OperationView {
        id: row.id,
        kind: row.kind.as_str().to_owned(),
        connection_id: row.connection_id,
        status: row.status.as_str().to_owned(),
        result: row
            .result
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok()),
        error: row.error.clone(),
        steps: steps.iter().map(step).collect(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn step(row: &operation_step::Model) -> StepView {
    StepView {
        step: row.step.clone(),
        attempt: row.attempt,
        status: row.status.as_str().to_owned(),
        external_ref: row.external_ref.clone(),
        error: row.error.clone(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
