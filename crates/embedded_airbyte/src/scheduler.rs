//! Starts the syncs that are due: one at a time per connection, and once however long it was
//! overdue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::engine::Engine;
use crate::fault::Fault;
use crate::jobs::{FINAL, Work};
use crate::store::entities::{connection, job};

/// Until the next look after one that failed.
const RETRY_MS: i64 = 60_000;

/// What the scheduler remembers between two looks.
#[derive(Default)]
pub(crate) struct Scheduler {
    poke: Notify,
    /// Since when each schedule counts. What would have been due earlier, while it was switched
    /// off or the engine stopped, is not made up for.
    since: Mutex<HashMap<Uuid, (String, i64)>>,
}

impl Scheduler {
    /// Notifies that connections or jobs have changed.
    pub(crate) fn poke(&self) {
        self.poke.notify_one();
    }
}

impl Engine {
    /// Starts due syncs until the engine stops.
    pub(crate) async fn schedule(self: Arc<Self>) {
        loop {
            let next = self.start_due().await.unwrap_or_else(|fault| {
                tracing::error!("schedules cannot be followed: {}", fault.chain());
                Some(self.clock.now_ms() + RETRY_MS)
            });
            tokio::select! {
                () = self.jobs.stop.cancelled() => return,
                () = self.scheduler.poke.notified() => {}
                () = self.clock.until(next) => {}
            }
        }
    }

    /// Starts what is due and answers when to look again.
    async fn start_due(self: &Arc<Self>) -> Result<Option<i64>, Fault> {
        let scheduled = connection::Entity::find()
            .filter(connection::Column::Status.eq("active"))
            .filter(connection::Column::ScheduleType.ne("manual"))
            .all(self.store.read())
            .await?;
        let newest = job::Entity::find()
            .select_only()
            .column_as(job::Column::Id.max(), "id")
            .group_by(job::Column::ConnectionId)
            .into_query();
        let newest: HashMap<Uuid, job::Model> = job::Entity::find()
            .filter(job::Column::Id.in_subquery(newest))
            .all(self.store.read())
            .await?
            .into_iter()
            .map(|job| (job.connection_id, job))
            .collect();
        let now = self.clock.now_ms();
        self.remember(&scheduled, now);
        let mut next = None;
        for row in &scheduled {
            let last = newest.get(&row.id);
            // Its end pokes.
            if last.is_some_and(|job| !FINAL.contains(&job.status.as_str())) {
                continue;
            }
            let since = self.since(row.id).unwrap_or(now);
            let due = match row
                .schedule()?
                .next_run(since, last.map(|job| job.created_at))
            {
                Some(due) => due,
                None => continue,
            };
            if due > now {
                next = Some(next.map_or(due, |next: i64| next.min(due)));
                continue;
            }
            match self.job_start(row.id, Work::Sync).await {
                Ok(job) => tracing::info!(
                    connection.id = %row.id,
                    job.id = job.id,
                    "job {} starts by its schedule",
                    job.id
                ),
                // Another request started one or disabled the connection, which also wakes the
                // scheduler.
                Err(fault) => {
                    tracing::warn!(connection.id = %row.id, "no scheduled sync: {}", fault.chain());
                }
            }
        }
        Ok(next)
    }

    fn remember(&self, scheduled: &[connection::Model], now: i64) {
        let mut since = self
            .scheduler
            .since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut known = std::mem::take(&mut *since);
        for row in scheduled {
            let data = row.schedule_data.as_deref().unwrap_or_default();
            let schedule = format!("{} {data}", row.schedule_type);
            let kept = known
                .remove(&row.id)
                .filter(|(before, _)| *before == schedule);
            since.insert(row.id, kept.unwrap_or((schedule, now)));
        }
    }

    fn since(&self, connection: Uuid) -> Option<i64> {
        let since = self
            .scheduler
            .since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.get(&connection).map(|(_, since)| *since)
    }
}
