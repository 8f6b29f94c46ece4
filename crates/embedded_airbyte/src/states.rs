//! Saved states of connections, read and written through the API.

use airbyte_protocol::{GlobalState, StreamDescriptor};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Set,
    sea_query::OnConflict,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::connections::find;
use crate::engine::Engine;
use crate::fault::{Fault, to_json};
use crate::jobs::{FINAL, stream_key};
use crate::state_epochs::{renew, renew_all, renew_whole};
use crate::store::entities::{connection_state, job};

/// What a caller writes.
pub(crate) enum NewState {
    Nothing,
    /// Laid over what is there; a stream without a state loses its own.
    Streams(Vec<(StreamDescriptor, Option<Box<RawValue>>)>),
    Global(GlobalState),
    Legacy(Box<RawValue>),
}

impl Engine {
    /// The saved states of a connection.
    pub(crate) async fn saved_states(
        &self,
        connection: Uuid,
    ) -> Result<Vec<connection_state::Model>, Fault> {
        Ok(connection_state::Entity::find()
            .filter(connection_state::Column::ConnectionId.eq(connection))
            .order_by_asc(connection_state::Column::Stream)
            .all(self.store.read())
            .await?)
    }

    /// Writes a state. `safe` refuses while a job of the connection is unfinished.
    pub(crate) async fn state_write(
        &self,
        connection: Uuid,
        state: NewState,
        safe: bool,
    ) -> Result<(), Fault> {
        let transaction = self.store.write().await?;
        find(&transaction, connection).await?;
        if safe {
            let unfinished = job::Entity::find()
                .filter(job::Column::ConnectionId.eq(connection))
                .filter(job::Column::Status.is_not_in(FINAL));
            if unfinished.count(&transaction).await? > 0 {
                return Err(Fault::StateInUse(format!(
                    "State cannot be updated while a sync is running for connection {connection}"
                )));
            }
        }
        let kind = match &state {
            NewState::Nothing => None,
            NewState::Streams(_) => Some("stream"),
            NewState::Global(_) => Some("global"),
            NewState::Legacy(_) => Some("legacy"),
        };
        let stored = connection_state::Entity::find()
            .filter(connection_state::Column::ConnectionId.eq(connection))
            .one(&transaction)
            .await?;
        if let (Some(stored), Some(kind)) = (&stored, kind)
            && stored.kind != kind
        {
            if stored.kind != "legacy" {
                return Err(Fault::Unprocessable(format!(
                    "a state of type {} cannot become one of type {kind}",
                    stored.kind
                )));
            }
            delete_all(&transaction, connection).await?;
            renew_all(&transaction, connection).await?;
        }
        match state {
            NewState::Nothing => {
                delete_all(&transaction, connection).await?;
                renew_all(&transaction, connection).await?;
            }
            NewState::Legacy(state) => {
                renew_whole(&transaction, connection).await?;
                keep(&transaction, connection, "", "legacy", state.get()).await?;
            }
            NewState::Global(state) => {
                renew_whole(&transaction, connection).await?;
                let text = to_json(&state);
                keep(&transaction, connection, "", "global", &text).await?;
            }
            NewState::Streams(streams) => {
                for (stream, state) in streams {
                    let key = stream_key(&stream);
                    renew(&transaction, connection, &key).await?;
                    match state {
                        Some(state) => {
                            keep(&transaction, connection, &key, "stream", state.get()).await?;
                        }
                        None => {
                            connection_state::Entity::delete_by_id((connection, key))
                                .exec(&transaction)
                                .await?;
                        }
                    }
                }
            }
        }
        transaction.commit().await?;
        Ok(())
    }
}

async fn delete_all(transaction: &DatabaseTransaction, connection: Uuid) -> Result<(), Fault> {
    connection_state::Entity::delete_many()
        .filter(connection_state::Column::ConnectionId.eq(connection))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Keeps a state, by its stream's key.
pub(crate) async fn keep(
    transaction: &DatabaseTransaction,
    connection: Uuid,
    stream: &str,
    kind: &str,
    state: &str,
) -> Result<(), Fault> {
    connection_state::Entity::insert(connection_state::ActiveModel {
        connection_id: Set(connection),
        stream: Set(stream.to_owned()),
        kind: Set(kind.to_owned()),
        state: Set(state.to_owned()),
    })
    .on_conflict(
        OnConflict::columns([
            connection_state::Column::ConnectionId,
            connection_state::Column::Stream,
        ])
        .update_columns([
            connection_state::Column::Kind,
            connection_state::Column::State,
        ])
        .to_owned(),
    )
    .exec(transaction)
    .await?;
    Ok(())
}
