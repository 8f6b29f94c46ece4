//! Generations: which streams start over with an attempt, and which rows of the destination go.

use std::collections::HashMap;

use airbyte_protocol::{DestinationSyncMode, GlobalState, StreamDescriptor, SyncMode};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set,
    sea_query::OnConflict,
};
use uuid::Uuid;

use crate::connections;
use crate::fault::{Fault, stored, to_json};
use crate::jobs::{RefreshMode, Work, stream_key};
use crate::notation::StreamConfig;
use crate::state_epochs;
use crate::store::entities::{connection_state, generation, job};

/// Starts a new generation, without saved state, for every stream that starts over with attempt
/// `number` of a job: full refreshes with every attempt, refreshed and cleared streams with the
/// first one. Answers those streams.
pub(crate) async fn begin(
    transaction: &DatabaseTransaction,
    job: &job::Model,
    number: i32,
) -> Result<Vec<StreamDescriptor>, Fault> {
    let connection = connections::find(transaction, job.connection_id).await?;
    let work = job.work()?;
    let mut over = Vec::new();
    for entry in connection.catalog()?.streams {
        let stream = entry.stream.descriptor();
        let asked = match &work {
            Work::Sync => false,
            Work::Refresh(refresh) => refresh.streams.contains(&stream),
            Work::Clear(streams) => {
                if !streams.contains(&stream) {
                    continue;
                }
                true
            }
        };
        let whole = entry.config.sync_mode == SyncMode::FullRefresh;
        if whole || (asked && number == 0) {
            over.push(stream);
        }
    }
    if over.is_empty() {
        return Ok(over);
    }
    let id = connection.id;
    let generations = current(transaction, id).await?;
    for stream in &over {
        let key = stream_key(stream);
        let next = generations.get(&key).copied().unwrap_or_default() + 1;
        generation::Entity::insert(generation::ActiveModel {
            connection_id: Set(id),
            stream: Set(key.clone()),
            generation: Set(next),
        })
        .on_conflict(
            OnConflict::columns([generation::Column::ConnectionId, generation::Column::Stream])
                .update_column(generation::Column::Generation)
                .to_owned(),
        )
        .exec(transaction)
        .await?;
        connection_state::Entity::delete_by_id((id, key))
            .exec(transaction)
            .await?;
    }
    let asked = number == 0 && !matches!(work, Work::Sync);
    if asked {
        state_epochs::renew_legacy(transaction, id).await?;
    }
    forget_in_whole_state(transaction, id, &over, asked).await?;
    Ok(over)
}

/// Takes streams out of a state that covers all streams.
async fn forget_in_whole_state(
    transaction: &DatabaseTransaction,
    connection: Uuid,
    over: &[StreamDescriptor],
    asked: bool,
) -> Result<(), Fault> {
    let key = (connection, String::new());
    let Some(row) = connection_state::Entity::find_by_id(key.clone())
        .one(transaction)
        .await?
    else {
        return Ok(());
    };
    // A legacy state cannot be taken apart: what is asked to be read again, is, with the rest.
    let mut gone = row.kind == "legacy" && asked;
    if row.kind == "global" {
        let mut global: GlobalState = stored("state", &row.state)?;
        global
            .stream_states
            .retain(|state| !over.contains(&state.stream_descriptor));
        gone = global.stream_states.is_empty();
        if !gone {
            let mut row: connection_state::ActiveModel = row.into();
            row.state = Set(to_json(&global));
            connection_state::Entity::update(row)
                .exec(transaction)
                .await?;
        }
    }
    if gone {
        connection_state::Entity::delete_by_id(key)
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// The generation of each stream, by its key.
pub(super) async fn current<C: ConnectionTrait>(
    db: &C,
    connection: Uuid,
) -> Result<HashMap<String, i64>, Fault> {
    let rows = generation::Entity::find()
        .filter(generation::Column::ConnectionId.eq(connection))
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.stream, row.generation))
        .collect())
}

/// The generation below which a stream's rows go: its own, or 0 when all stay.
pub(super) fn minimum(
    work: &Work,
    stream: &StreamDescriptor,
    config: &StreamConfig,
    generation: i64,
) -> i64 {
    let replaces = config.sync_mode == SyncMode::FullRefresh
        && matches!(
            config.destination_sync_mode,
            DestinationSyncMode::Overwrite | DestinationSyncMode::OverwriteDedup
        );
    let truncates = match work {
        Work::Sync => false,
        Work::Refresh(refresh) => {
            refresh.mode == RefreshMode::Truncate && refresh.streams.contains(stream)
        }
        Work::Clear(_) => true,
    };
    if replaces || truncates { generation } else { 0 }
}
