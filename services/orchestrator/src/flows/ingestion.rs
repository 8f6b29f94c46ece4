//! Ingestions: onboardings of an existing source, and connections as callers of the ingestion API
//! see them.

use contracts::{
    ConnectionPatch, DesiredStatus, ErrorCode, IngestionPatch, IngestionStatus,
    NamespaceDefinition, NewIngestion, OnboardRequest,
};
use shared::airbyte::ActorKind;
use shared::airbyte::types::Actor;
use shared::registry::now;
use uuid::Uuid;

use super::onboard::{self, InitialStatus, Onboarded, Shared};
use super::update::{self, Updated};
use super::{Error, actors};
use crate::domain::ingestion::{self, desired, from_connection, to_connection};
use crate::domain::{ownership_tag, view};
use crate::state::State;

/// Creates an ingestion; with `answer_early` returns as soon as the operation has started.
pub(crate) async fn create(
    state: State,
    new: NewIngestion,
    answer_early: bool,
) -> Result<Onboarded, Error> {
    // A request without one was rejected before.
    let sink_id = new.destination_id.or(new.sink_id).unwrap_or_default();
    let sink_field = match new.destination_id {
        Some(_) => "destinationId",
        None => "sinkId",
    };
    let source = endpoint(&state, ActorKind::Source, new.source_id, "sourceId").await?;
    let sink = endpoint(&state, ActorKind::Destination, sink_id, sink_field).await?;
    if source.workspace_id != sink.workspace_id {
        let message = "is in another workspace than the datasource";
        return Err(Error::field(ErrorCode::Invalid, sink_field, message));
    }
    let name = new.name.unwrap_or_else(|| {
        let unmarked = |name| ownership_tag::without(state.installation, name);
        format!("{} to {}", unmarked(&source.name), unmarked(&sink.name))
    });
    let request = OnboardRequest {
        source_type: source.connector.clone().unwrap_or_default(),
        connection_name: name,
        credential_id: None,
        source_config: None,
        destination_id: Some(sink_id),
        workspace_id: Some(source.workspace_id),
        streams: new.streams,
        schedule: new.schedule.as_ref().map(to_connection),
        drift_policy: None,
        namespace_definition: Some(NamespaceDefinition::Destination),
        namespace_format: None,
        prefix: None,
    };
    let shared = Shared {
        source,
        destination_id: sink_id,
        initial_status: match new.status.map(desired) {
            Some(DesiredStatus::Inactive) => InitialStatus::Inactive,
            Some(DesiredStatus::Active) | None => InitialStatus::Active,
        },
    };
    onboard::run(state, request, Some(shared), answer_early)
        .await
        .map_err(|error| with_ingestion_fields(error, sink_field))
}

/// Finds a datasource or sink that a request names.
async fn endpoint(state: &State, kind: ActorKind, id: Uuid, field: &str) -> Result<Actor, Error> {
    match state.airbyte.actor_get(kind, id).await {
        Ok(actor) => Ok(actor),
        Err(error) if error.is_not_found() => {
            let noun = actors::noun(kind);
            let message = format!("no {noun} has this id; GET /{noun} lists them");
            Err(Error::field(ErrorCode::Invalid, field, message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes an ingestion.
pub(crate) async fn patch(
    state: State,
    id: Uuid,
    patch: IngestionPatch,
    revision: Option<i64>,
) -> Result<Updated, Error> {
    let patch = ConnectionPatch {
        name: patch.name,
        schedule: patch.schedule.as_ref().map(to_connection),
        drift_policy: None,
        status: patch.status.map(desired),
    };
    if patch.is_empty() {
        let detail = "change at least one of name, schedule, status";
        return Err(Error::refused(ErrorCode::Invalid, detail));
    }
    update::run(state, id, patch, revision)
        .await
        .map_err(|error| with_ingestion_fields(error, "destinationId"))
}

/// Renames the fields of a connection's error to those of the ingestion API.
fn with_ingestion_fields(mut error: Error, sink_field: &str) -> Error {
    if let Error::Refused { detail, fields, .. } = &mut error
        && !fields.is_empty()
    {
        for fault in fields.iter_mut() {
            fault.field = match fault.field.as_str() {
                "destination_id" => sink_field.to_owned(),
                other => ingestion::field(other),
            };
        }
        *detail = contracts::FieldError::join(fields);
    }
    error
}

/// The status of an ingestion.
pub(crate) async fn status(state: State, id: Uuid) -> Result<IngestionStatus, Error> {
    // A job's end and the time of the last sync are stored in one write. If the time moved between
    // the reads, the job and the time may belong to different syncs.
    let mut before = state.connection(id).await?;
    let (row, newest) = loop {
        let newest = state.registry.job_list(id, 1).await?.pop();
        let row = state.connection(id).await?;
        if row.last_synced_at == before.last_synced_at {
            break (row, newest);
        }
        before = row;
    };
    let written = serde_json::from_str(&row.schedule).unwrap_or_default();
    let next_sync = view::next_runs(&row, newest.as_ref(), now(), 1).pop();
    Ok(IngestionStatus {
        connection_id: row.id,
        ingestion_id: row.id,
        status: row.status.as_str().to_lowercase(),
        last_sync: row.last_synced_at,
        next_sync,
        schedule: from_connection(&written),
        last_job: newest.map(ingestion::job),
    })
}
