//! `ConnectionRead` and `WebBackendConnectionRead`. Catalogs pass through as stored text.

use airbyte_protocol::Catalog;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::actors::version_view;
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::jobs::FINAL;
use crate::notation::{SyncCatalog, with_suggestions};
use crate::options::ConnectorKind;
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

fn members(row: &connection::Model) -> Result<Map<String, Value>, Fault> {
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
        "tags": stored::<Value>("tags", &row.tags)?,
        "onDemandEnabled": false,
    });
    let mut members = match view.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

/// `ConnectionRead`: selected streams only.
pub(super) fn connection_read(row: &connection::Model) -> Result<View, Fault> {
    let mut members = members(row)?;
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

/// `WebBackendConnectionRead`: all discovered streams.
pub(super) async fn web_backend_read(
    engine: &Engine,
    row: &connection::Model,
) -> Result<View, Fault> {
    let mut members = members(row)?;
    let latest_catalog = engine.latest_catalog_id(row.source_id).await?;
    let change = if row.breaking_change {
        "breaking"
    } else if latest_catalog.is_some() && latest_catalog != row.source_catalog_id {
        "non_breaking"
    } else {
        "no_change"
    };
    members.insert("schemaChange".into(), json!(change));
    members.insert("createdAt".into(), json!(seconds(row.created_at)));
    if let Some(id) = row.source_catalog_id {
        members.insert("catalogId".into(), json!(id));
    }
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
    for (kind, id) in [
        (ConnectorKind::Source, row.source_id),
        (ConnectorKind::Destination, row.destination_id),
    ] {
        let word = kind.as_str();
        let (actor, version) = actor_read(engine, kind, id).await?;
        members.insert(word.to_owned(), actor);
        members.insert(format!("{word}ActorDefinitionVersion"), version);
    }
    let catalog = match row.source_catalog_id {
        Some(id) => engine.catalog(id).await?,
        None => None,
    };
    let text = match catalog {
        Some(discovered) => to_json(&merged(row.catalog()?, stored("catalog", &discovered)?)),
        None => row.sync_catalog.clone(),
    };
    Ok(View {
        sync_catalog: stored("catalog", &text)?,
        members,
    })
}

/// Every discovered stream, configured as the connection has it where it has it.
fn merged(configured: SyncCatalog, discovered: Catalog) -> SyncCatalog {
    let mut all = with_suggestions(discovered);
    for entry in &mut all.streams {
        let descriptor = entry.stream.descriptor();
        let known = configured
            .streams
            .iter()
            .find(|known| known.stream.descriptor() == descriptor);
        match known {
            Some(known) => entry.config = known.config.clone(),
            None => entry.config.selected = Some(false),
        }
    }
    all
}

/// `SourceRead` or `DestinationRead`, and the version of its connector.
async fn actor_read(
    engine: &Engine,
    kind: ConnectorKind,
    id: Uuid,
) -> Result<(Value, Value), Fault> {
    let row = engine.actor(kind, id).await?;
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
