//! Ingestions: converts ingestion requests to onboardings and changes of connections, and
//! connections to ingestion views.

mod schedule;

use contracts::{
    DesiredStatus, FieldError, Ingestion, IngestionJob, IngestionPatch, IngestionSwitch,
    NewEndpoint, NewIngestion,
};
use serde_json::{Map, Value};
use shared::registry::entities::{connection, job};
use uuid::Uuid;

use super::members::Members;
use super::request::{has_nul, name_fault};

pub(crate) use schedule::{from_connection, to_connection};

/// Parses `POST /datasource` or `POST /sink`.
///
/// # Errors
/// Returns every invalid member.
pub(crate) fn new_endpoint(body: Map<String, Value>) -> Result<NewEndpoint, Vec<FieldError>> {
    let holds_nul = has_nul(&Value::Object(body.clone()));
    let mut members = Members::of(body);
    let name: Option<String> = members.required("name", "a string, its name");
    let kind: Option<String> =
        members.required("type", "a string, a connector's name such as `mysql`");
    let config = members.required("config", "an object, the connector's configuration");
    let workspace = members.optional("workspace", "a string, a workspace's id or name");
    if let Some(wrong) = name.as_deref().and_then(name_fault) {
        members.fault("name", wrong);
    }
    if kind.as_deref().is_some_and(|kind| kind.trim().is_empty()) {
        members.fault("type", "name a connector, for example `mysql`");
    }
    if holds_nul {
        members.fault("", "a NUL character cannot be stored");
    }
    let read = name.zip(kind).zip(config);
    members.finish(read.map(|((name, kind), config)| NewEndpoint {
        name,
        kind,
        config,
        workspace,
    }))
}

/// Parses `POST /ingestion`.
///
/// # Errors
/// Returns every invalid member.
pub(crate) fn new_ingestion(body: Map<String, Value>) -> Result<NewIngestion, Vec<FieldError>> {
    let mut members = Members::of(body);
    let name = members.optional("name", "a string");
    let source_id: Option<Uuid> = members.required("sourceId", "a datasource's id, a UUID");
    let destination_id: Option<Uuid> = members.optional("destinationId", "a sink's id, a UUID");
    let sink_id: Option<Uuid> = members.optional("sinkId", "a sink's id, a UUID");
    let schedule = schedule::read(&mut members);
    let status = switch(&mut members);
    let streams = streams(&mut members);
    let time = "a time as in RFC 3339, for example `2024-01-01T00:00:00Z`";
    let created = members.optional("created", time);
    let updated = members.optional("updated", time);
    if let (Some(one), Some(other)) = (destination_id, sink_id)
        && one != other
    {
        members.fault("sinkId", "names a sink other than `destinationId`");
    }
    let read = source_id.map(|source_id| NewIngestion {
        name,
        source_id,
        destination_id,
        sink_id,
        schedule,
        status,
        streams,
        created,
        updated,
    });
    if destination_id.or(sink_id).is_none() && !members.is_faulty(&["destinationId", "sinkId"]) {
        members.fault(
            "destinationId",
            "is required: a sink's id, a UUID; `sinkId` is an alias",
        );
    }
    members.finish(read)
}

/// Parses `PATCH /ingestion/{connectionId}`.
///
/// # Errors
/// Returns every invalid member.
pub(crate) fn patch(body: Map<String, Value>) -> Result<IngestionPatch, Vec<FieldError>> {
    let mut members = Members::of(body);
    // If ignored silently, they would seem to have been changed.
    for (fixed, instead) in [
        ("sourceId", "create another ingestion"),
        ("destinationId", "create another ingestion"),
        ("sinkId", "create another ingestion"),
        (
            "streams",
            "use POST /repair/apply_new_catalog to change them",
        ),
    ] {
        if members.optional::<Value>(fixed, "").is_some() {
            members.fault(fixed, format!("cannot be changed; {instead}"));
        }
    }
    let read = IngestionPatch {
        name: members.optional("name", "a string"),
        schedule: schedule::read(&mut members),
        status: switch(&mut members),
    };
    members.finish(Some(read))
}

fn switch(members: &mut Members) -> Option<IngestionSwitch> {
    members.optional("status", "`active` or `inactive`")
}

/// Streams, in either spelling of their members.
fn streams(members: &mut Members) -> Option<Vec<catalog::select::StreamRequest>> {
    let given: Vec<Value> = members.optional("streams", "a list of streams")?;
    let mut read = Vec::with_capacity(given.len());
    for (index, stream) in given.into_iter().enumerate() {
        let stream = match stream {
            Value::Object(written) => Value::Object(known(written)),
            other => other,
        };
        match serde_json::from_value(stream) {
            Ok(stream) => read.push(stream),
            Err(_) => members.fault(
                &format!("streams[{index}]"),
                "must be a name, or an object of name, namespace, syncMode (full_refresh, incremental), \
                 destinationSyncMode (append, overwrite, append_dedup, overwrite_dedup), cursorField, primaryKey, selectedFields",
            ),
        }
    }
    Some(read)
}

fn known(mut written: Map<String, Value>) -> Map<String, Value> {
    let mut read = Map::new();
    for (camel, snake) in [
        ("name", "name"),
        ("namespace", "namespace"),
        ("syncMode", "sync_mode"),
        ("destinationSyncMode", "destination_sync_mode"),
        ("cursorField", "cursor_field"),
        ("primaryKey", "primary_key"),
        ("selectedFields", "selected_fields"),
    ] {
        if let Some(value) = written.remove(camel).or_else(|| written.remove(snake)) {
            read.insert(snake.to_owned(), value);
        }
    }
    read
}

/// Maps a member of an onboarding or of a connection's patch to the ingestion API's name.
pub(crate) fn field(connection: &str) -> String {
    for (theirs, ours) in [
        ("connection_name", "name"),
        ("source_id", "sourceId"),
        ("destination_id", "destinationId"),
        ("schedule.cron", "schedule.cronExpression"),
        ("schedule.time_zone", "schedule.cronTimeZone"),
        ("schedule.every", "schedule.units"),
    ] {
        if connection == theirs {
            return ours.to_owned();
        }
    }
    connection.to_owned()
}

/// A connection as an ingestion.
pub(crate) fn view(row: &connection::Model) -> Ingestion {
    Ingestion {
        connection_id: row.id,
        source_id: row.airbyte_source_id,
        destination_id: row.destination_id,
        sink_id: row.destination_id,
        name: row.name.clone(),
        status: row.status.as_str().to_lowercase(),
        schedule: from_connection(&serde_json::from_str(&row.schedule).unwrap_or_default()),
        created: row.created_at,
        updated: row.updated_at,
    }
}

/// A job in the form of an ingestion's status.
pub(crate) fn job(row: job::Model) -> IngestionJob {
    IngestionJob {
        id: row.airbyte_job_id,
        status: row.status.as_str().to_owned(),
        rows: row.rows_synced,
        bytes: row.bytes_synced,
        started_at: row.started_at,
        error: row.error_message,
    }
}

/// The connection status that a switch selects.
pub(crate) fn desired(switch: IngestionSwitch) -> DesiredStatus {
    match switch {
        IngestionSwitch::Active => DesiredStatus::Active,
        IngestionSwitch::Inactive => DesiredStatus::Inactive,
    }
}

#[cfg(test)]
mod tests;
