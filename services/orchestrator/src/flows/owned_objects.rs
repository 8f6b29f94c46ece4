//! Finds and deletes what an onboarding created in Airbyte, by its connection's ownership tag.

use shared::airbyte::ActorKind;
use shared::registry::actors::ActorRef;
use uuid::Uuid;

use super::Error;
use crate::domain::ownership_tag;
use crate::state::State;

/// The Airbyte objects with the ownership tag of one connection.
pub(crate) struct OwnedObjects<'a> {
    /// Their workspace.
    pub(crate) workspace: Uuid,
    /// The connection in the tag.
    pub(crate) connection: Uuid,
    /// The name of the Airbyte connection if its source carries the tag in its place.
    pub(crate) name: &'a str,
    /// The source and the Airbyte connection to keep.
    pub(crate) keep: Option<(Uuid, Option<Uuid>)>,
}

impl OwnedObjects<'_> {
    /// Deletes all except those to keep: connections, then the sources that they read, unless a
    /// connection of someone else reads one too. Returns how many objects were deleted.
    pub(crate) async fn remove(&self, state: &State) -> Result<usize, Error> {
        let mark = ownership_tag::of(state.installation, self.connection);
        let airbyte = &state.airbyte;
        let sources = airbyte
            .actor_list(ActorKind::Source, Some(self.workspace))
            .await?;
        let alive: Vec<Uuid> = sources.iter().map(|source| source.id).collect();
        let (kind, instance) = (ActorKind::Source, airbyte.instance());
        state
            .registry
            .actors_forget_gone(kind, instance, self.workspace, &alive)
            .await?;
        let sources: Vec<_> = sources
            .into_iter()
            .filter(|source| source.name.ends_with(&mark))
            .collect();
        let connections = airbyte.connection_list(self.workspace).await?;
        let (mut removed, mut others) = (0, Vec::new());
        for connection in connections.iter().filter(|c| c.status != "deprecated") {
            let reads = |id: Uuid| connection.source_id == id;
            let reads_marked = sources.iter().any(|source| reads(source.id));
            let is_ours =
                connection.name.ends_with(&mark) || (reads_marked && connection.name == self.name);
            let stays = self
                .keep
                .is_some_and(|(_, kept)| kept == Some(connection.connection_id));
            if is_ours && !stays {
                airbyte.connection_delete(connection.connection_id).await?;
                tracing::info!(
                    connection.id = %connection.connection_id,
                    "deleted a connection that an onboarding left in Airbyte"
                );
                removed += 1;
            } else if !is_ours {
                others.push(connection.source_id);
            }
        }
        for source in sources {
            if self.keep.is_some_and(|(kept, _)| kept == source.id) {
                continue;
            }
            if others.contains(&source.id) || !self.remove_source(state, source.id).await? {
                tracing::info!(
                    source.id = %source.id,
                    "another connection uses the source; keeping it"
                );
                continue;
            }
            removed += 1;
        }
        Ok(removed)
    }

    /// Deletes a source unless another connection uses it or is about to; returns whether it is
    /// gone.
    pub(crate) async fn remove_source(&self, state: &State, id: Uuid) -> Result<bool, Error> {
        let of = ActorRef {
            kind: ActorKind::Source,
            instance: state.airbyte.instance(),
            workspace_id: self.workspace,
            airbyte_id: id,
        };
        if !state.registry.actor_retire(of, self.connection).await? {
            return Ok(false);
        }
        let deleted = state.airbyte.actor_delete(ActorKind::Source, id).await;
        // If the deletion is retried, no connection may start to use the source in the meantime.
        if !matches!(&deleted, Err(error) if error.is_transient() || error.is_ambiguous()) {
            state.registry.actor_forget(of).await?;
        }
        deleted?;
        tracing::info!(source.id = %id, "deleted the source that was created for a connection");
        Ok(true)
    }
}
