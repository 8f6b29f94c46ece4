//! `web_backend/connections/list`: the connections of a workspace as the web app lists them,
//! filtered, sorted and by pages.

use std::cmp::Ordering;
use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::actors::version_view;
use super::answer;
use super::connection_views::schema_change;
use crate::actors::Page;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::options::ConnectorKind;
use crate::store::entities::{actor, connection, job};
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes.post("/web_backend/connections/list", BEARER, list);
}

/// Airbyte's page size where the request names none.
const DEFAULT_PAGE_SIZE: usize = 1000;

/// `WebBackendConnectionListRequestBody`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    workspace_id: Uuid,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    source_id: Vec<Uuid>,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    destination_id: Vec<Uuid>,
    /// The last connection of the page before.
    cursor: Option<Uuid>,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    sort_key: SortKey,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    filters: Filters,
    page_size: Option<usize>,
}

/// `WebBackendConnectionListSortKey`.
#[derive(Deserialize, Clone, Copy, Default)]
enum SortKey {
    #[default]
    #[serde(rename = "connectionName_asc")]
    ConnectionNameAsc,
    #[serde(rename = "connectionName_desc")]
    ConnectionNameDesc,
    #[serde(rename = "sourceName_asc")]
    SourceNameAsc,
    #[serde(rename = "sourceName_desc")]
    SourceNameDesc,
    #[serde(rename = "destinationName_asc")]
    DestinationNameAsc,
    #[serde(rename = "destinationName_desc")]
    DestinationNameDesc,
    #[serde(rename = "lastSync_asc")]
    LastSyncAsc,
    #[serde(rename = "lastSync_desc")]
    LastSyncDesc,
}

/// `WebBackendConnectionListFilters`. An empty list does not filter.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filters {
    #[serde(deserialize_with = "crate::notation::nullable")]
    source_definition_ids: Vec<Uuid>,
    #[serde(deserialize_with = "crate::notation::nullable")]
    destination_definition_ids: Vec<Uuid>,
    #[serde(deserialize_with = "crate::notation::nullable")]
    statuses: Vec<SyncStatus>,
    #[serde(deserialize_with = "crate::notation::nullable")]
    states: Vec<ConnectionState>,
    #[serde(deserialize_with = "crate::notation::nullable")]
    tag_ids: Vec<Uuid>,
    search_term: Option<String>,
    on_demand_enabled: Option<bool>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum SyncStatus {
    Healthy,
    Failed,
    Running,
    Paused,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ConnectionState {
    Active,
    Inactive,
}

/// A connection beside what the list shows, filters and sorts by.
struct Item {
    row: connection::Model,
    source: actor::Model,
    destination: actor::Model,
    job: Option<job::Model>,
    tags: Vec<Value>,
}

/// `WebBackendConnectionReadList`. Airbyte writes the two counts in snake case.
#[derive(Serialize)]
struct Listed {
    connections: Vec<Value>,
    page_size: usize,
    num_connections: usize,
}

async fn list(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let request: Request = body(&bytes)?;
        engine.workspace(request.workspace_id).await?;
        let mut items = items(&engine, &request).await?;
        items.retain(|item| request.filters.accept(item));
        items.sort_by(|a, b| {
            let order = request.sort_key.compare(a, b);
            order.then_with(|| a.row.id.cmp(&b.row.id))
        });
        let num_connections = items.len();
        let start = match request.cursor {
            Some(cursor) => items
                .iter()
                .position(|item| item.row.id == cursor)
                .map(|place| place + 1)
                .ok_or_else(|| Fault::not_found("connection", cursor))?,
            None => 0,
        };
        let page_size = request.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
        let mut connections = Vec::new();
        for item in items.iter().skip(start).take(page_size) {
            connections.push(item.view(&engine).await?);
        }
        Ok(Reply::json(&Listed {
            connections,
            page_size,
            num_connections,
        }))
    })
    .await
}

async fn items(engine: &Engine, request: &Request) -> Result<Vec<Item>, Fault> {
    let page = |include_deleted| Page {
        workspace_ids: vec![request.workspace_id],
        include_deleted,
        limit: i64::MAX.unsigned_abs(),
        offset: 0,
    };
    let mut rows = engine.connection_list(&page(false), &[]).await?;
    let chosen = |ids: &[Uuid], id| ids.is_empty() || ids.contains(&id);
    rows.retain(|row| {
        chosen(&request.source_id, row.source_id)
            && chosen(&request.destination_id, row.destination_id)
    });
    let mut actors: HashMap<Uuid, actor::Model> = HashMap::new();
    for kind in [ConnectorKind::Source, ConnectorKind::Destination] {
        let found = engine.actor_list(kind, &page(true)).await?;
        actors.extend(found.into_iter().map(|row| (row.id, row)));
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut tags = engine.connection_tags(&ids).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let actor = |id| {
            let found = actors.get(&id).cloned();
            found.ok_or_else(|| Fault::not_found("actor", id))
        };
        items.push(Item {
            source: actor(row.source_id)?,
            destination: actor(row.destination_id)?,
            job: engine.latest_job(row.id).await?,
            tags: tags.remove(&row.id).unwrap_or_default(),
            row,
        });
    }
    Ok(items)
}

impl Filters {
    fn accept(&self, item: &Item) -> bool {
        let any = |ids: &[Uuid], id| ids.is_empty() || ids.contains(&id);
        let tagged = |wanted: &Uuid| {
            let wanted = json!(wanted);
            item.tags.iter().any(|tag| tag["tagId"] == wanted)
        };
        any(&self.source_definition_ids, item.source.definition_id)
            && any(
                &self.destination_definition_ids,
                item.destination.definition_id,
            )
            && (self.statuses.is_empty() || self.statuses.iter().any(|status| item.has(*status)))
            && (self.states.is_empty() || self.states.iter().any(|state| item.is(*state)))
            && (self.tag_ids.is_empty() || self.tag_ids.iter().any(tagged))
            && self.search_term.as_deref().is_none_or(|term| {
                let term = term.to_lowercase();
                [&item.row.name, &item.source.name, &item.destination.name]
                    .iter()
                    .any(|name| name.to_lowercase().contains(&term))
            })
            && self.on_demand_enabled != Some(true)
    }
}

impl SortKey {
    fn compare(self, a: &Item, b: &Item) -> Ordering {
        let text = |a: &str, b: &str| a.to_lowercase().cmp(&b.to_lowercase());
        let last_sync = |item: &Item| item.job.as_ref().map(|job| job.created_at);
        match self {
            Self::ConnectionNameAsc => text(&a.row.name, &b.row.name),
            Self::ConnectionNameDesc => text(&b.row.name, &a.row.name),
            Self::SourceNameAsc => text(&a.source.name, &b.source.name),
            Self::SourceNameDesc => text(&b.source.name, &a.source.name),
            Self::DestinationNameAsc => text(&a.destination.name, &b.destination.name),
            Self::DestinationNameDesc => text(&b.destination.name, &a.destination.name),
            Self::LastSyncAsc => last_sync(a).cmp(&last_sync(b)),
            Self::LastSyncDesc => last_sync(b).cmp(&last_sync(a)),
        }
    }
}

impl Item {
    fn has(&self, status: SyncStatus) -> bool {
        let job = self.job.as_ref().map(|job| job.status.as_str());
        match status {
            SyncStatus::Healthy => {
                self.row.status == "active" && matches!(job, None | Some("succeeded" | "pending"))
            }
            SyncStatus::Failed => matches!(job, Some("failed" | "cancelled" | "incomplete")),
            SyncStatus::Running => matches!(job, Some("running" | "queued")),
            SyncStatus::Paused => self.row.status == "inactive",
        }
    }

    fn is(&self, state: ConnectionState) -> bool {
        match state {
            ConnectionState::Active => self.row.status == "active",
            ConnectionState::Inactive => self.row.status == "inactive",
        }
    }

    /// `WebBackendConnectionListItem`.
    async fn view(&self, engine: &Engine) -> Result<Value, Fault> {
        let schedule = self.row.schedule()?;
        let latest = engine.latest_catalog(self.row.source_id).await?;
        let mut view = json!({
            "connectionId": self.row.id,
            "name": self.row.name,
            "scheduleType": schedule.kind,
            "status": self.row.status,
            "isSyncing": self.job.as_ref().is_some_and(|job| job.status == "running"),
            "schemaChange": schema_change(&self.row, latest.map(|latest| latest.id)),
            "tags": self.tags,
            "onDemandEnabled": false,
        });
        if let Some(data) = schedule.data {
            view["scheduleData"] = data;
        }
        if let Some(job) = &self.job {
            view["latestSyncJobCreatedAt"] = json!(seconds(job.created_at));
            view["latestSyncJobStatus"] = json!(job.status);
        }
        for (kind, actor) in [
            (ConnectorKind::Source, &self.source),
            (ConnectorKind::Destination, &self.destination),
        ] {
            let word = kind.as_str();
            let definition = engine.definitions.get(kind, actor.definition_id)?;
            view[word] = json!({
                format!("{word}Id"): actor.id,
                "name": actor.name,
                format!("{word}DefinitionId"): actor.definition_id,
                format!("{word}Name"): definition.name,
            });
            view[format!("{word}ActorDefinitionVersion")] = version_view(&definition);
        }
        Ok(view)
    }
}
