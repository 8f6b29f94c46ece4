//! What carries this installation's mark in Airbyte and belongs to no connection and no operation.

use std::collections::HashSet;

use contracts::{Orphan, OrphanKind};
use shared::registry::connections::ConnectionFilter;
use shared::registry::now;
use shared::registry::status::OperationStatus;
use uuid::Uuid;

use super::Error;
use crate::domain::mark;
use crate::state::State;

const PAGE: u64 = 500;

/// Every orphan that is older than `older_than` seconds, in every workspace.
pub(crate) async fn list(state: &State, older_than: i64) -> Result<Vec<Orphan>, Error> {
    let begun = now().timestamp();
    let mut orphans = Vec::new();
    for workspace in state.airbyte.workspace_list().await? {
        let sources = state.airbyte.source_list(workspace.workspace_id).await?;
        let marked: Vec<_> = sources
            .into_iter()
            .filter_map(|source| {
                let connection = mark::connection(state.installation, &source.name)?.to_owned();
                Some((source, connection))
            })
            .collect();
        if marked.is_empty() {
            continue;
        }
        // Read after Airbyte: what was begun meanwhile is known to the registry.
        let owned = owned(state).await?;
        let connections = state
            .airbyte
            .connection_list(workspace.workspace_id)
            .await?;
        for (source, tail) in marked {
            // An Airbyte that does not tell the age is an old one; such a source is not touched.
            let is_old = source
                .created_at
                .is_some_and(|created| begun - created >= older_than);
            if !is_old || owned.busy.contains(&tail) {
                continue;
            }
            let readers = connections
                .iter()
                .filter(|c| c.source_id == source.source_id && c.status != "deprecated");
            if owned.sources.contains(&source.source_id) {
                continue;
            }
            for reader in readers {
                orphans.push(Orphan {
                    kind: OrphanKind::Connection,
                    id: reader.connection_id,
                    name: reader.name.clone(),
                    workspace_id: workspace.workspace_id,
                    source_id: Some(source.source_id),
                });
            }
            orphans.push(Orphan {
                kind: OrphanKind::Source,
                id: source.source_id,
                name: source.name,
                workspace_id: workspace.workspace_id,
                source_id: None,
            });
        }
    }
    Ok(orphans)
}

/// Removes every orphan that is older than `older_than` seconds; connections before their sources.
pub(crate) async fn remove(state: State, older_than: i64) -> Result<Vec<Orphan>, Error> {
    let orphans = list(&state, older_than).await?;
    for orphan in &orphans {
        match orphan.kind {
            OrphanKind::Connection => state.airbyte.connection_delete(orphan.id).await?,
            OrphanKind::Source => state.airbyte.source_delete(orphan.id).await?,
        }
        tracing::info!(orphan.id = %orphan.id, "removed the orphan `{}`", orphan.name);
    }
    state.registry.orphans_removed(&orphans).await?;
    Ok(orphans)
}

struct Owned {
    /// Sources that a connection has.
    sources: HashSet<Uuid>,
    /// Tails of the ids of connections that an operation works on or watches.
    busy: HashSet<String>,
}

async fn owned(state: &State) -> Result<Owned, Error> {
    let mut owned = Owned {
        sources: HashSet::new(),
        busy: HashSet::new(),
    };
    let mut after = None;
    loop {
        let filter = ConnectionFilter::default();
        let page = state.registry.connection_page(&filter, after, PAGE).await?;
        owned
            .sources
            .extend(page.iter().filter_map(|row| row.airbyte_source_id));
        after = page.last().map(|row| row.id);
        if (page.len() as u64) < PAGE {
            break;
        }
    }
    let open = [
        OperationStatus::Pending,
        OperationStatus::Running,
        OperationStatus::Settling,
    ];
    for operation in state.registry.operation_list_in(&open).await? {
        owned.busy.insert(mark::tail(operation.connection_id));
    }
    Ok(owned)
}
