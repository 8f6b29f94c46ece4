//! `ConnectionRead` and `WebBackendConnectionRead`. Catalogs pass through as stored text.

use catalog::diff::{CatalogDiff, SchemaChange};
use catalog::propagate::merge;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::actors::version_view;
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::jobs::FINAL;
use crate::options::ConnectorKind;
use crate::schema_changes::parsed;
use crate::secrets::masked;
use crate::store::entities::connection;
use crate::time::seconds;

/// A view with a catalog as text beside its other members.
#[derive(Serialize)]
pub(super) struct View {
    #[serde(rename = "syncCatalog")]
    sync_catalog: Box<RawValue>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

fn members(row: &connection::Model, tags: Vec<Value>) -> Result<Map<String, Value>, Fault> {
    let schedule = row.schedule()?;
    let mut view = json!({
        "connectionId": row.id,
        "name": row.name,
        "namespaceDefinition": row.namespace_definition,
        "namespaceFormat": row.namespace_format,
        "prefix": row.prefix,
        "sourceId": row.source_id,
        "destinationId": row.destination_id,
        "operationIds": [],
        "scheduleType": schedule.kind,
        "scheduleData": schedule.data,
        "status": row.status,
        "notifySchemaChanges": row.notify_schema_changes,
        "notifySchemaChangesByEmail": row.notify_schema_changes_by_email,
        "nonBreakingChangesPreference": row.non_breaking_preference,
        "backfillPreference": row.backfill_preference,
        "tags": tags,
        "onDemandEnabled": false,
    });
    let mut members = match view.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.extend(stored::<Map<String, Value>>("connection", &row.shown)?);
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

/// `ConnectionRead`: selected streams only.
pub(super) fn connection_read(row: &connection::Model, tags: Vec<Value>) -> Result<View, Fault> {
    let mut members = members(row, tags)?;
    members.insert("breakingChange".into(), json!(row.breaking_change));
    members.insert("workspaceId".into(), json!(row.workspace_id));
    members.insert("created_at".into(), json!(seconds(row.created_at)));
    if let Some(id) = row.source_catalog_id {
        members.insert("sourceCatalogId".into(), json!(id));
    }
    Ok(View {
        sync_catalog: stored("catalog", &row.sync_catalog)?,
        members,
    })
}

/// Reads one connection for an answer.
pub(super) async fn one(engine: &Engine, row: &connection::Model) -> Result<View, Fault> {
    connection_read(row, tags(engine, row.id).await?)
}

async fn tags(engine: &Engine, connection: Uuid) -> Result<Vec<Value>, Fault> {
    let mut tags = engine.connection_tags(&[connection]).await?;
    Ok(tags.remove(&connection).unwrap_or_default())
}

/// How the newest catalog of the source differs from the one that the connection accepted.
pub(super) fn schema_change(row: &connection::Model, latest: Option<Uuid>) -> SchemaChange {
    if row.breaking_change {
        SchemaChange::Breaking
    } else if latest.is_some() && latest != row.source_catalog_id {
        SchemaChange::NonBreaking
    } else {
        SchemaChange::NoChange
    }
}

/// `WebBackendConnectionRead`: all discovered streams. `fresh` is a catalog that was discovered
/// just now, with its id and what it changes.
pub(super) async fn web_backend_read(
    engine: &Engine,
    row: &connection::Model,
    fresh: Option<(Uuid, String, CatalogDiff)>,
) -> Result<View, Fault> {
    let mut members = members(row, tags(engine, row.id).await?)?;
    let latest = engine.latest_catalog(row.source_id).await?;
    let latest = latest.map(|latest| latest.id);
    let change = match &fresh {
        Some((_, _, diff)) => diff.schema_change(),
        None => schema_change(row, latest),
    };
    members.insert("schemaChange".into(), json!(change));
    members.insert("createdAt".into(), json!(seconds(row.created_at)));
    let shown = fresh.as_ref().map(|(id, _, _)| *id);
    if let Some(id) = shown.or(row.source_catalog_id) {
        members.insert("catalogId".into(), json!(id));
    }
    add_jobs(engine, row, &mut members).await?;
    for (kind, id) in [
        (ConnectorKind::Source, row.source_id),
        (ConnectorKind::Destination, row.destination_id),
    ] {
        let word = kind.as_str();
        let (actor, version) = actor_read(engine, kind, id).await?;
        members.insert(word.to_owned(), actor);
        members.insert(format!("{word}ActorDefinitionVersion"), version);
    }
    let accepted = match row.source_catalog_id {
        Some(id) => engine.catalog(id).await?,
        None => None,
    };
    let configured = parsed(&row.sync_catalog)?;
    let accepted = accepted.map(|text| parsed(&text)).transpose()?;
    let text = match (accepted, fresh) {
        (accepted, Some((_, text, diff))) => {
            members.insert("catalogDiff".into(), json!(diff));
            let accepted = accepted.as_ref().unwrap_or(&configured);
            merge(&configured, accepted, &parsed(&text)?).to_config_api()
        }
        (Some(accepted), None) => merge(&configured, &accepted, &accepted).to_config_api(),
        (None, None) => row.sync_catalog.clone(),
    };
    Ok(View {
        sync_catalog: stored("catalog", &text)?,
        members,
    })
}

async fn add_jobs(
    engine: &Engine,
    row: &connection::Model,
    members: &mut Map<String, Value>,
) -> Result<(), Fault> {
    let job = engine.latest_job(row.id).await?;
    let running = job
        .as_ref()
        .is_some_and(|job| !FINAL.contains(&job.status.as_str()));
    members.insert("isSyncing".into(), json!(running));
    if let Some(job) = job {
        members.insert(
            "latestSyncJobCreatedAt".into(),
            json!(seconds(job.created_at)),
        );
        members.insert("latestSyncJobStatus".into(), json!(job.status));
    }
    Ok(())
}

/// `SourceRead` or `DestinationRead`, and the version of its connector.
pub(super) async fn actor_read(
    engine: &Engine,
    kind: ConnectorKind,
    id: Uuid,
) -> Result<(Value, Value), Fault> {
    let row = engine.actor_shown(kind, id).await?;
    let definition = engine.definitions.get(kind, row.definition_id)?;
    let word = kind.as_str();
    let mut read = json!({
        "workspaceId": row.workspace_id,
        "connectionConfiguration": masked(&row.configuration, &row.secrets)?,
        "name": row.name,
        "status": "active",
        "createdAt": seconds(row.created_at),
    });
    read[format!("{word}Id")] = json!(row.id);
    read[format!("{word}DefinitionId")] = json!(row.definition_id);
    read[format!("{word}Name")] = json!(definition.name);
    Ok((read, version_view(&definition)))
}
