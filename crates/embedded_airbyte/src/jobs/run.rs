//! A job from its first attempt to its end.

use std::time::Duration;

use airbyte_protocol::StreamDescriptor;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, Set, sea_query::Expr,
};
use tokio::sync::watch;

use super::auto_disable::{FAILED_JOBS_MAX, auto_disable};
use super::retry::{FailedAttempt, next_delay};
use super::{FINAL, Phase, Running, Work, attempts};
use crate::connector::{FailureReason, Kind, Origin};
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::replication::{self, Ended, Outcome, StreamStats};
use crate::schema_changes::BeforeSync;
use crate::store::entities::{attempt, connection, job};

/// Runs attempts until the job succeeds, fails, is cancelled or the engine stops.
pub(super) async fn run(
    engine: &Engine,
    job: job::Model,
    running: &Running,
    phase: &watch::Sender<Phase>,
) -> Result<(), Fault> {
    loop {
        let slot = tokio::select! {
            biased;
            () = engine.jobs.stop.cancelled() => return Ok(()),
            () = running.cancel.cancelled() => return job_set(engine, job.id, "cancelled").await,
            slot = engine.jobs.slots.acquire() => slot.expect("the semaphore is never closed"),
        };
        let before = before_attempt(engine, &job, running).await;
        if matches!(before, Ok(Before::Stopping)) {
            return Ok(());
        }
        let started = until_recorded(engine, &job, "the start of an attempt", || {
            attempt_start(engine, &job)
        });
        let Some(Some(number)) = started.await? else {
            return Ok(());
        };
        let ended = match before {
            Ok(Before::Ends(ended)) => {
                let noted = replication::log_note(&engine.logs, job.id, number, &ended.failures);
                if let Err(error) = noted {
                    tracing::warn!(job.id = job.id, "attempt {number} has no log: {error}");
                }
                Ok(ended)
            }
            Ok(Before::Go | Before::Stopping) => {
                replication::attempt(engine, &job, number, &running.cancel, &running.progress).await
            }
            Err(fault) => Err(fault),
        };
        drop(slot);
        *running.progress.lock().unwrap_or_else(|e| e.into_inner()) = None;
        let ended = ended.unwrap_or_else(|fault| {
            tracing::error!(job.id = job.id, "attempt {number}: {}", fault.chain());
            Ended {
                outcome: Outcome::Failed,
                failures: vec![FailureReason::new(
                    Origin::AirbytePlatform,
                    Kind::SystemError,
                    format!("the sync could not be run: {}", fault.chain()),
                )],
                stats: Vec::new(),
            }
        });
        if ended.outcome == Outcome::Interrupted {
            return Ok(());
        }
        let finished = until_recorded(engine, &job, "the end of an attempt", || {
            attempt_finish(engine, &job, number, &ended)
        });
        let Some(Some(delay)) = finished.await? else {
            return Ok(());
        };
        phase.send_replace(Phase::BackOff);
        tokio::select! {
            biased;
            () = engine.jobs.stop.cancelled() => return Ok(()),
            () = running.give_up.cancelled() => return job_set(engine, job.id, "cancelled").await,
            () = tokio::time::sleep(delay) => {}
        }
        phase.send_replace(Phase::Active);
    }
}

/// Repeats a step until the database takes it, for instance after a disk was full: a job must
/// neither be forgotten nor look as if it still ran. `None` when the engine stops meanwhile.
async fn until_recorded<T, F>(
    engine: &Engine,
    job: &job::Model,
    what: &str,
    step: impl Fn() -> F,
) -> Result<Option<T>, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    loop {
        match step().await {
            Err(fault @ Fault::Database(_)) => {
                tracing::error!(
                    job.id = job.id,
                    "{what} cannot be recorded now: {}",
                    fault.chain()
                );
            }
            other => return other.map(Some),
        }
        tokio::select! {
            () = engine.jobs.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(engine.timing.record_again) => {}
        }
    }
}

/// What the step before an attempt came to.
enum Before {
    Go,
    /// The attempt is over before a connector reads or writes.
    Ends(Ended),
    /// The engine is stopping; the job continues at its next start.
    Stopping,
}

/// Looks at the source's schema first, as every attempt that reads does. That comes before the
/// attempt is recorded: streams that are taken over begin their generations with it.
async fn before_attempt(
    engine: &Engine,
    job: &job::Model,
    running: &Running,
) -> Result<Before, Fault> {
    if matches!(job.work()?, Work::Clear(_)) {
        return Ok(Before::Go);
    }
    job_set(engine, job.id, "running").await?;
    let ends = |outcome, failure| {
        Before::Ends(Ended {
            outcome,
            failures: vec![failure],
            stats: Vec::new(),
        })
    };
    let cancelled = |why: &str| {
        let failure = FailureReason::new(
            Origin::Replication,
            Kind::ManualCancellation,
            "Setting attempt to FAILED because the job was cancelled",
        );
        ends(Outcome::Cancelled, failure.with_internal(why))
    };
    let found = tokio::select! {
        biased;
        () = engine.jobs.stop.cancelled() => return Ok(Before::Stopping),
        () = running.cancel.cancelled() => return Ok(cancelled("canceled on request")),
        found = engine.schema_before_sync(job.connection_id) => found?,
    };
    Ok(match found {
        BeforeSync::Go => Before::Go,
        BeforeSync::SwitchedOff => cancelled("the connection is not active any more"),
        BeforeSync::NotKnown(why) => {
            let failure = FailureReason::new(
                Origin::AirbytePlatform,
                Kind::RefreshSchema,
                "Failed to detect if there is a schema change. If the error persist please \
                 contact the support team.",
            );
            ends(Outcome::Failed, failure.with_internal(why))
        }
    })
}

/// Records that the next attempt runs, unless the job has ended meanwhile.
async fn attempt_start(engine: &Engine, job: &job::Model) -> Result<Option<i32>, Fault> {
    let transaction = engine.store.write().await?;
    let earlier = attempts(&transaction, &[job.id]).await?;
    let number = earlier.last().map_or(0, |last| last.number + 1);
    let now = engine.clock.now_ms();
    let started = job::Entity::update_many()
        .col_expr(job::Column::Status, Expr::value("running"))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .col_expr(
            job::Column::StartedAt,
            Expr::value(job.started_at.unwrap_or(now)),
        )
        .filter(job::Column::Id.eq(job.id))
        .filter(job::Column::Status.is_not_in(FINAL))
        .exec(&transaction)
        .await?;
    if started.rows_affected == 0 {
        return Ok(None);
    }
    // In one step with the attempt: a crash in between would forget what is to be read again.
    let over = replication::begin_generations(&transaction, job, number).await?;
    for attempt in earlier {
        supersede(&transaction, attempt, &over).await?;
    }
    attempt::ActiveModel {
        job_id: Set(job.id),
        number: Set(number),
        status: Set("running".to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
        ended_at: Set(None),
        stats: Set("[]".to_owned()),
        failures: Set("[]".to_owned()),
    }
    .insert(&transaction)
    .await?;
    transaction.commit().await?;
    Ok(Some(number))
}

/// What an earlier attempt committed of streams that start over is gone, or will be.
async fn supersede(
    transaction: &DatabaseTransaction,
    attempt: attempt::Model,
    over: &[StreamDescriptor],
) -> Result<(), Fault> {
    let mark = |stats: &mut Vec<StreamStats>| {
        let mut changed = false;
        for stream in stats {
            if over.contains(&stream.stream) && !stream.superseded {
                stream.superseded = true;
                changed = true;
            }
        }
        changed
    };
    replication::change_stats(transaction, attempt, mark).await
}

/// Records how an attempt ended and answers the delay before the next one, if there is one.
async fn attempt_finish(
    engine: &Engine,
    job: &job::Model,
    number: i32,
    ended: &Ended,
) -> Result<Option<Duration>, Fault> {
    let transaction = engine.store.write().await?;
    let now = engine.clock.now_ms();
    let succeeded = ended.outcome == Outcome::Succeeded;
    let mut row = attempt::Entity::find_by_id((job.id, number))
        .one(&transaction)
        .await?
        .ok_or(Fault::UnknownJob(job.id))?
        .into_active_model();
    row.status = Set(if succeeded { "succeeded" } else { "failed" }.to_owned());
    row.updated_at = Set(now);
    row.ended_at = Set(Some(now));
    row.stats = Set(to_json(&ended.stats));
    row.failures = Set(to_json(&ended.failures));
    row.update(&transaction).await?;
    let delay = match ended.outcome {
        Outcome::Failed => {
            let all = attempts(&transaction, &[job.id]).await?;
            let failed: Result<Vec<_>, _> = all.iter().map(failed_attempt).collect();
            next_delay(&engine.retry, &failed?, &ended.failures)
        }
        Outcome::Succeeded | Outcome::Cancelled | Outcome::Interrupted => None,
    };
    let status = match (ended.outcome, delay) {
        (Outcome::Succeeded, _) => "succeeded",
        (Outcome::Cancelled, _) => "cancelled",
        (_, Some(_)) => "incomplete",
        (_, None) => "failed",
    };
    job_set_in(&transaction, job.id, status, now).await?;
    let switched_off = status == "failed" && auto_disable(&transaction, job, now).await?;
    transaction.commit().await?;
    tracing::info!(
        job.id = job.id,
        "attempt {number} ended, the job is {status}"
    );
    if switched_off {
        let connection = job.connection_id;
        tracing::warn!(connection.id = %connection, "{FAILED_JOBS_MAX} jobs in a row have failed, the connection is switched off");
    }
    Ok(delay)
}

fn failed_attempt(row: &attempt::Model) -> Result<FailedAttempt, Fault> {
    let stats: Vec<StreamStats> = stored("attempt", &row.stats)?;
    let moved = stats
        .iter()
        .any(|stream| stream.records_committed + stream.records_rejected > 0);
    Ok(if moved {
        FailedAttempt::Partial
    } else {
        FailedAttempt::Complete
    })
}

async fn job_set(engine: &Engine, id: i64, status: &str) -> Result<(), Fault> {
    let transaction = engine.store.write().await?;
    job_set_in(&transaction, id, status, engine.clock.now_ms()).await?;
    transaction.commit().await?;
    Ok(())
}

/// A final status is never overwritten.
async fn job_set_in(
    transaction: &DatabaseTransaction,
    id: i64,
    status: &str,
    now: i64,
) -> Result<(), Fault> {
    job::Entity::update_many()
        .col_expr(job::Column::Status, Expr::value(status))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::Status.is_not_in(FINAL))
        .exec(transaction)
        .await?;
    Ok(())
}

/// At a start: attempts that were running when the engine ended have failed; their jobs go on.
pub(super) async fn fail_interrupted(
    transaction: &DatabaseTransaction,
    now: i64,
) -> Result<(), Fault> {
    let interrupted = attempt::Entity::find()
        .filter(attempt::Column::Status.eq("running"))
        .order_by_asc(attempt::Column::JobId)
        .all(transaction)
        .await?;
    for row in interrupted {
        let failure = FailureReason::new(
            Origin::AirbytePlatform,
            Kind::TransientError,
            "the engine stopped while the attempt ran",
        );
        let job_id = row.job_id;
        let mut row = row.into_active_model();
        row.status = Set("failed".to_owned());
        row.updated_at = Set(now);
        row.ended_at = Set(Some(now));
        row.failures = Set(to_json(&[failure]));
        row.update(transaction).await?;
        job_set_in(transaction, job_id, "incomplete", now).await?;
    }
    let deleted = connection::Entity::find()
        .filter(connection::Column::Status.eq("deprecated"))
        .all(transaction)
        .await?;
    for connection in deleted {
        job::Entity::update_many()
            .col_expr(job::Column::Status, Expr::value("cancelled"))
            .col_expr(job::Column::UpdatedAt, Expr::value(now))
            .filter(job::Column::ConnectionId.eq(connection.id))
            .filter(job::Column::Status.is_not_in(FINAL))
            .exec(transaction)
            .await?;
    }
    Ok(())
}
