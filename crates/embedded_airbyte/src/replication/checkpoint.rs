//! Keeping echoed states and counts while an attempt runs and when it ends.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    Set, sea_query::Expr,
};

use super::tracker::{KeptState, StreamStats, Tracker};
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::states::keep;
use crate::store::entities::{attempt, job};
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

/// Changes the stored counts of an attempt; `change` returns whether it changed any.
pub(crate) async fn change_stats(
    transaction: &DatabaseTransaction,
    attempt: attempt::Model,
    change: impl FnOnce(&mut Vec<StreamStats>) -> bool,
) -> Result<(), Fault> {
    let mut stats: Vec<StreamStats> = stored("attempt", &attempt.stats)?;
    if change(&mut stats) {
        let mut attempt = attempt.into_active_model();
        attempt.stats = Set(to_json(&stats));
        attempt.update(transaction).await?;
    }
    Ok(())
}
