//! Connections: reading, updating, syncing, refreshing.

use std::collections::HashSet;

use actix_web::{HttpResponse, web};
use airbyte_protocol::StreamDescriptor;
use http_server::routes::Routes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer;
use super::connection_views::{View, connection_read, one};
use super::jobs::job_info;
use crate::actors::Page;
use crate::api::policy::{BEARER, LARGE, Policy};
use crate::api::{Reply, Shared, body};
use crate::connections::{ConnectionChange, NewConnection};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::jobs::{Refresh, RefreshMode, Work};
use crate::naming::Naming;
use crate::notation::{SelectedField, SyncCatalog};
use crate::options::ConnectorKind;
use crate::schedule::Schedule;
use crate::selection::{checked_mappers, missing_columns};

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/connections/create", LARGE.making_something(), create)
        .post("/connections/get", BEARER, get)
        .post("/connections/list", BEARER, list)
        .post("/connections/update", LARGE, update)
        .post("/connections/sync", BEARER, sync)
        .post("/connections/refresh", BEARER, refresh)
        .post("/connections/clear", BEARER, clear)
        .post("/connections/reset", BEARER, clear)
        .post("/connections/clear/stream", BEARER, clear_streams)
        .post("/connections/reset/stream", BEARER, clear_streams)
        .post("/connections/update_with_reason", LARGE, update_with_reason);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectionId {
    pub(super) connection_id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfWorkspace {
    workspace_id: Uuid,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    include_tombstone: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Streams {
    connection_id: Uuid,
    refresh_mode: Option<RefreshMode>,
    streams: Option<Vec<ConnectionStream>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionStream {
    stream_name: String,
    stream_namespace: Option<String>,
}

/// The members that `ConnectionUpdate` and `ConnectionCreate` share. Unknown members are ignored, as
/// Airbyte ignores them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    name: Option<String>,
    namespace_definition: Option<String>,
    namespace_format: Option<String>,
    prefix: Option<String>,
    sync_catalog: Option<SyncCatalog>,
    schedule: Option<Value>,
    schedule_type: Option<String>,
    schedule_data: Option<Value>,
    status: Option<String>,
    source_catalog_id: Option<Uuid>,
    breaking_change: Option<bool>,
    non_breaking_changes_preference: Option<String>,
    backfill_preference: Option<String>,
    notify_schema_changes: Option<bool>,
    notify_schema_changes_by_email: Option<bool>,
    tags: Option<Vec<TagRef>>,
    resource_requirements: Option<Map<String, Value>>,
    operation_ids: Option<Vec<Uuid>>,
    destination_catalog_id: Option<Uuid>,
    dataplane_group_id: Option<Uuid>,
    on_demand_enabled: Option<bool>,
}

impl Settings {
    /// What is kept to be read back and means nothing on one machine.
    fn shown(&mut self) -> Map<String, Value> {
        let all = [
            (
                "resourceRequirements",
                json!(self.resource_requirements.take()),
            ),
            ("operationIds", json!(self.operation_ids.take())),
            ("destinationCatalogId", json!(self.destination_catalog_id)),
            ("dataplaneGroupId", json!(self.dataplane_group_id)),
            ("onDemandEnabled", json!(self.on_demand_enabled)),
        ];
        all.into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// Callers send the whole tag; its id identifies it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagRef {
    tag_id: Uuid,
}

/// The members that only `ConnectionCreate` has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    source_id: Uuid,
    destination_id: Uuid,
    status: String,
    /// `ConnectionSchedule`, the notation before `scheduleType` and `scheduleData`.
    schedule: Option<Value>,
}

async fn create(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let (new, mut settings): (Create, Settings) = (body(&bytes)?, body(&bytes)?);
        if let Some(schedule) = new.schedule.filter(|schedule| !schedule.is_null()) {
            if settings.schedule_type.is_some() {
                return Err(Fault::Unprocessable(
                    "supply either schedule or scheduleType, not both".to_owned(),
                ));
            }
            settings.schedule = None;
            settings.schedule_type = Some("basic".to_owned());
            settings.schedule_data = Some(json!({ "basicSchedule": schedule }));
        }
        engine.actor(ConnectorKind::Source, new.source_id).await?;
        let mut change = change(&engine, settings, new.destination_id).await?;
        let catalog = change.catalog.take();
        let row = engine
            .connection_create(NewConnection {
                name: change.name.take(),
                source_id: new.source_id,
                destination_id: new.destination_id,
                status: change.status.take().unwrap_or(new.status),
                catalog: catalog.unwrap_or_else(|| SyncCatalog {
                    streams: Vec::new(),
                }),
                source_catalog_id: change.source_catalog_id.take(),
                naming: Naming {
                    definition: change
                        .namespace_definition
                        .take()
                        .unwrap_or_else(|| "source".to_owned()),
                    format: change.namespace_format.take(),
                    prefix: change.prefix.take(),
                },
                schedule: change.schedule.take().unwrap_or_else(Schedule::manual),
                non_breaking_preference: change
                    .non_breaking_preference
                    .take()
                    .unwrap_or_else(|| "ignore".to_owned()),
                tags: change.tags.take().unwrap_or_default(),
                further: change,
            })
            .await?;
        Ok(Reply::json(&one(&engine, &row).await?))
    })
    .await
}

async fn get(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionId = body(&bytes)?;
        let row = engine.connection(asked.connection_id).await?;
        Ok(Reply::json(&one(&engine, &row).await?))
    })
    .await
}

#[derive(Serialize)]
struct Connections {
    connections: Vec<View>,
}

async fn list(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: OfWorkspace = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        let page = Page {
            workspace_ids: vec![asked.workspace_id],
            include_deleted: asked.include_tombstone,
            limit: i64::MAX.unsigned_abs(),
            offset: 0,
        };
        let rows = engine.connection_list(&page, &[]).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut tags = engine.connection_tags(&ids).await?;
        let connections: Result<Vec<_>, _> = rows
            .iter()
            .map(|row| connection_read(row, tags.remove(&row.id).unwrap_or_default()))
            .collect();
        Ok(Reply::json(&Connections {
            connections: connections?,
        }))
    })
    .await
}

async fn update(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        apply_update(&engine, &bytes).await
    })
    .await
}

async fn apply_update(engine: &Engine, bytes: &[u8]) -> Result<Reply, Fault> {
    let (target, settings): (ConnectionId, Settings) = (body(bytes)?, body(bytes)?);
    let id = target.connection_id;
    let row = engine.connection(id).await?;
    let change = change(engine, settings, row.destination_id).await?;
    let row = engine.connection_update(id, change).await?;
    Ok(Reply::json(&one(engine, &row).await?))
}

/// The reason goes to a timeline that only the web app shows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateWithReason {
    connection_update: Box<RawValue>,
}

async fn update_with_reason(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: UpdateWithReason = body(&bytes)?;
        apply_update(&engine, asked.connection_update.get().as_bytes()).await
    })
    .await
}

fn one_of(what: &str, value: Option<String>, known: &[&str]) -> Result<Option<String>, Fault> {
    match value {
        Some(value) if !known.contains(&value.as_str()) => Err(Fault::Unprocessable(format!(
            "{value} is not a {what}: {}",
            known.join(", ")
        ))),
        other => Ok(other),
    }
}

pub(super) async fn change(
    engine: &Engine,
    mut asked: Settings,
    destination: Uuid,
) -> Result<ConnectionChange, Fault> {
    let shown = asked.shown();
    if asked.schedule.is_some_and(|schedule| !schedule.is_null()) {
        return Err(Fault::Unprocessable(
            "schedule is no longer supported, use scheduleType and scheduleData".to_owned(),
        ));
    }
    let schedule = match (asked.schedule_type, asked.schedule_data) {
        (Some(kind), data) => Some(Schedule::config(&kind, data)?),
        (None, Some(data)) if !data.is_null() => {
            return Err(Fault::Unprocessable(
                "scheduleData needs a scheduleType".to_owned(),
            ));
        }
        (None, _) => None,
    };
    if let Some(id) = asked.source_catalog_id
        && engine.catalog(id).await?.is_none()
    {
        return Err(Fault::not_found("source catalog", id));
    }
    let catalog = match asked.sync_catalog {
        Some(catalog) => Some(checked(engine, catalog, destination).await?),
        None => None,
    };
    Ok(ConnectionChange {
        name: asked.name,
        namespace_definition: one_of(
            "namespaceDefinition",
            asked.namespace_definition,
            &["source", "destination", "customformat"],
        )?,
        namespace_format: asked.namespace_format,
        prefix: asked.prefix,
        status: one_of(
            "status",
            asked.status,
            &["active", "inactive", "deprecated", "locked"],
        )?,
        catalog,
        source_catalog_id: asked.source_catalog_id,
        breaking_change: asked.breaking_change,
        schedule,
        non_breaking_preference: one_of(
            "nonBreakingChangesPreference",
            asked.non_breaking_changes_preference,
            &["ignore", "disable", "propagate_columns", "propagate_fully"],
        )?,
        backfill_preference: one_of(
            "backfillPreference",
            asked.backfill_preference,
            &["enabled", "disabled"],
        )?,
        notify_schema_changes: asked.notify_schema_changes,
        notify_schema_changes_by_email: asked.notify_schema_changes_by_email,
        tags: asked
            .tags
            .map(|tags| tags.iter().map(|tag| tag.tag_id).collect()),
        shown,
    })
}

/// Refuses what could not be run. Schemas are taken as they were sent.
async fn checked(
    engine: &Engine,
    mut catalog: SyncCatalog,
    destination: Uuid,
) -> Result<SyncCatalog, Fault> {
    let row = engine
        .actor(ConnectorKind::Destination, destination)
        .await?;
    let definition = engine
        .definitions
        .get(ConnectorKind::Destination, row.definition_id)?;
    let spec = engine.spec(&definition).await?;
    let modes = spec.destination_modes(definition.supports_refreshes);
    for entry in &mut catalog.streams {
        let (name, config) = (&entry.stream.name, &entry.config);
        let Some(selected) = config.selected else {
            // Airbyte reads it without looking.
            return Err(Fault::Unexpected(format!(
                "config.selected of stream {name} is missing"
            )));
        };
        if !selected {
            continue;
        }
        if !modes.contains(&config.destination_sync_mode) {
            return Err(Fault::BadRequest(format!(
                "stream {name}: the destination does not support the sync mode {}",
                json!(config.destination_sync_mode)
            )));
        }
        if config.field_selection_enabled {
            let columns: HashSet<&String> = config
                .selected_fields
                .iter()
                .filter_map(|field: &SelectedField| field.field_path.first())
                .collect();
            if let Some(missing) = missing_columns(config, &columns) {
                return Err(Fault::Unprocessable(format!(
                    "selectedFields of stream {name} must contain {missing}, its cursor or key \
                     needs it"
                )));
            }
        }
        let mappers = checked_mappers(&entry.stream, config, &config.mappers)?;
        entry.config.mappers = mappers;
    }
    Ok(catalog)
}

async fn sync(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionId = body(&bytes)?;
        let job = engine.job_start(asked.connection_id, Work::Sync).await?;
        Ok(Reply::json(&job_info(&engine, job.id, true).await?))
    })
    .await
}

/// The streams that were named, or all of the connection's.
fn named(
    streams: Option<Vec<ConnectionStream>>,
    catalog: &SyncCatalog,
) -> Result<Vec<StreamDescriptor>, Fault> {
    let all = catalog
        .streams
        .iter()
        .map(|entry| entry.stream.descriptor());
    let Some(streams) = streams else {
        return Ok(all.collect());
    };
    let all: HashSet<StreamDescriptor> = all.collect();
    streams
        .into_iter()
        .map(|stream| StreamDescriptor {
            name: stream.stream_name,
            namespace: stream.stream_namespace,
        })
        .map(|stream| {
            if all.contains(&stream) {
                Ok(stream)
            } else {
                Err(Fault::Unprocessable(format!(
                    "stream {stream} is not selected by the connection"
                )))
            }
        })
        .collect()
}

async fn refresh(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Streams = body(&bytes)?;
        let Some(mode) = asked.refresh_mode else {
            return Err(Fault::Unprocessable("refreshMode is required".to_owned()));
        };
        let row = engine.connection(asked.connection_id).await?;
        let destination = engine
            .actor(ConnectorKind::Destination, row.destination_id)
            .await?;
        let definition = engine
            .definitions
            .get(ConnectorKind::Destination, destination.definition_id)?;
        if !definition.supports_refreshes {
            return Ok(Reply::json(&json!({})));
        }
        let streams = named(asked.streams, &row.catalog()?)?;
        let work = Work::Refresh(Refresh { mode, streams });
        let job = engine.job_start(row.id, work).await?;
        let job = engine.job_view(job.id).await?;
        Ok(Reply::json(&json!({ "job": super::jobs::job_read(&job)? })))
    })
    .await
}

/// A connection as a whole: streams are not looked at, even if some are named.
async fn clear(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionId = body(&bytes)?;
        let row = engine.connection(asked.connection_id).await?;
        let streams = named(None, &row.catalog()?)?;
        let job = engine.job_start(row.id, Work::Clear(streams)).await?;
        Ok(Reply::json(&job_info(&engine, job.id, true).await?))
    })
    .await
}

async fn clear_streams(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Streams = body(&bytes)?;
        if asked.streams.is_none() {
            return Err(Fault::Unprocessable("streams is required".to_owned()));
        }
        let row = engine.connection(asked.connection_id).await?;
        let streams = named(asked.streams, &row.catalog()?)?;
        let job = engine.job_start(row.id, Work::Clear(streams)).await?;
        Ok(Reply::json(&job_info(&engine, job.id, true).await?))
    })
    .await
}
