//! Keeping echoed states and counts while an attempt runs and when it ends.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::tracker::{KeptState, Tracker};
use crate::engine::Engine;
use crate::fault::{Fault, to_json};
use crate::store::entities::{attempt, connection_state, job};
use crate::time::now_ms;

/// Writes what was echoed since the last call that succeeded, and the counts so far.
pub(super) async fn write(
    engine: &Engine,
    job: &job::Model,
    number: i32,
    tracker: &Tracker,
) -> Result<(), Fault> {
    let kept = tracker.take_kept();
    let written = write_in(engine, job, number, tracker, &kept).await;
    if written.is_err() {
        tracker.keep_again(kept);
    }
    written
}

async fn write_in(
    engine: &Engine,
    job: &job::Model,
    number: i32,
    tracker: &Tracker,
    kept: &BTreeMap<String, KeptState>,
) -> Result<(), Fault> {
    let transaction = engine.store.write().await?;
    for (stream, state) in kept {
        keep(
            &transaction,
            job.connection_id,
            stream,
            state.kind,
            &state.text,
        )
        .await?;
    }
    attempt::Entity::update_many()
        .col_expr(
            attempt::Column::Stats,
            Expr::value(to_json(&tracker.stats())),
        )
        .col_expr(attempt::Column::UpdatedAt, Expr::value(now_ms()))
        .filter(attempt::Column::JobId.eq(job.id))
        .filter(attempt::Column::Number.eq(number))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Keeps a state, by its stream's key.
pub(super) async fn keep(
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
