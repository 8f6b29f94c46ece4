//! Airbyte objects with this installation's ownership tag that belong to no connection, datasource,
//! sink or operation.

use std::collections::{HashMap, HashSet};

use contracts::{Orphan, OrphanKind};
use shared::airbyte::ActorKind;
use shared::airbyte::types::{Actor, Connection};
use shared::registry::connections::ConnectionFilter;
use shared::registry::now;
use shared::registry::status::OperationStatus;
use uuid::Uuid;

use super::Error;
use crate::domain::ownership_tag;
use crate::state::State;

const PAGE: u64 = 500;

/// Lists orphans that are older than `older_than` seconds, in all workspaces.
pub(crate) async fn list(state: &State, older_than: i64) -> Result<Vec<Orphan>, Error> {
    // An Airbyte that does not report the age is an old version; its objects are not touched.
    let created_before = now().timestamp() - older_than;
    let mut orphans = Vec::new();
    for workspace in state.airbyte.workspace_list().await? {
        let id = workspace.workspace_id;
        let (airbyte, installation) = (&state.airbyte, state.installation);
        let is_old =
            |created: Option<i64>| created.is_some_and(|created| created <= created_before);
        let is_marked = |name: &str| ownership_tag::connection(installation, name).is_some();
        let candidates = |listed: Vec<Actor>| -> Vec<Actor> {
            let old = listed.into_iter();
            old.filter(|actor| is_marked(&actor.name) && is_old(actor.created_at))
                .collect()
        };
        let sources = candidates(airbyte.actor_list(ActorKind::Source, Some(id)).await?);
        let destinations = candidates(airbyte.actor_list(ActorKind::Destination, Some(id)).await?);
        let connections = airbyte.connection_list(id).await?;
        let connections: Vec<Connection> = connections
            .into_iter()
            .filter(|connection| connection.status != "deprecated")
            .collect();
        // Read after Airbyte, so that the registry knows everything started in the meantime.
        let owned = Owned::read(state).await?;
        let is_free = |name: &str| {
            ownership_tag::connection(installation, name)
                .is_some_and(|tail| !owned.busy.contains(tail))
        };
        let mut gone: HashSet<Uuid> = HashSet::new();
        let connection_orphan = |connection: &Connection| Orphan {
            kind: OrphanKind::Connection,
            id: connection.connection_id,
            name: connection.name.clone(),
            workspace_id: id,
            source_id: Some(connection.source_id),
        };
        let actor_orphan = |kind, actor: Actor| Orphan {
            kind,
            id: actor.id,
            name: actor.name,
            workspace_id: id,
            source_id: None,
        };
        for connection in &connections {
            let is_owned = owned.connections.contains(&connection.connection_id);
            if !is_owned && is_free(&connection.name) && is_old(connection.created_at) {
                gone.insert(connection.connection_id);
                orphans.push(connection_orphan(connection));
            }
        }
        for source in sources {
            if !is_free(&source.name) || owned.has(installation, &source) {
                continue;
            }
            for reader in &connections {
                if reader.source_id == source.id && gone.insert(reader.connection_id) {
                    orphans.push(connection_orphan(reader));
                }
            }
            orphans.push(actor_orphan(OrphanKind::Source, source));
        }
        for destination in destinations {
            // Airbyte deletes a destination's connections with it, so one in use stays.
            let is_used = connections.iter().any(|connection| {
                connection.destination_id == destination.id
                    && !gone.contains(&connection.connection_id)
            });
            if is_free(&destination.name) && !is_used && !owned.has(installation, &destination) {
                orphans.push(actor_orphan(OrphanKind::Destination, destination));
            }
        }
    }
    Ok(orphans)
}

/// Deletes orphans that are older than `older_than` seconds; connections before what they use.
pub(crate) async fn remove(state: State, older_than: i64) -> Result<Vec<Orphan>, Error> {
    let orphans = list(&state, older_than).await?;
    let airbyte = &state.airbyte;
    for orphan in &orphans {
        match orphan.kind {
            OrphanKind::Connection => airbyte.connection_delete(orphan.id).await?,
            OrphanKind::Source => airbyte.actor_delete(ActorKind::Source, orphan.id).await?,
            OrphanKind::Destination => {
                airbyte
                    .actor_delete(ActorKind::Destination, orphan.id)
                    .await?;
            }
        }
        tracing::info!(orphan.id = %orphan.id, "deleted the orphan `{}`", orphan.name);
    }
    state.registry.orphans_removed(&orphans).await?;
    Ok(orphans)
}

/// The objects that the registry knows.
#[derive(Default)]
struct Owned {
    /// Sources and destinations that a connection uses.
    used: HashSet<Uuid>,
    /// Connections in Airbyte.
    connections: HashSet<Uuid>,
    /// Datasources and sinks by their id in Airbyte, with the tail of their row's id.
    actors: HashMap<Uuid, String>,
    /// Tails of the ids that an operation works on or watches.
    busy: HashSet<String>,
}

impl Owned {
    async fn read(state: &State) -> Result<Self, Error> {
        let mut owned = Self::default();
        let mut after = None;
        loop {
            let filter = ConnectionFilter::default();
            let page = state.registry.connection_page(&filter, after, PAGE).await?;
            for row in &page {
                owned.used.extend(row.airbyte_source_id);
                owned.used.extend(row.destination_id);
                owned.connections.extend(row.airbyte_connection_id);
            }
            after = page.last().map(|row| row.id);
            if (page.len() as u64) < PAGE {
                break;
            }
        }
        for row in state.registry.actor_rows(state.airbyte.instance()).await? {
            if let Some(airbyte_id) = row.airbyte_id {
                owned.actors.insert(airbyte_id, ownership_tag::tail(row.id));
            }
        }
        let open = [
            OperationStatus::Pending,
            OperationStatus::Running,
            OperationStatus::Settling,
        ];
        for operation in state.registry.operation_list_in(&open).await? {
            owned
                .busy
                .insert(ownership_tag::tail(operation.connection_id));
        }
        Ok(owned)
    }

    /// Whether a row owns it. A row that only records its use has a different id from its tag's.
    fn has(&self, installation: Uuid, actor: &Actor) -> bool {
        let tail = ownership_tag::connection(installation, &actor.name);
        self.used.contains(&actor.id)
            || self.actors.get(&actor.id).map(String::as_str) == tail && tail.is_some()
    }
}
