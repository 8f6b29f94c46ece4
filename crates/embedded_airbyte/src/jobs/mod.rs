//! Jobs: started on request, one per connection, supervised until they end.
//!
//! The database decides who may start (a unique index over unfinished jobs); the supervisor only
//! knows what runs in this process, so that it can be stopped and waited for.

mod auto_disable;
mod retry;
mod run;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use airbyte_protocol::StreamDescriptor;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    QueryOrder, Set, SqlErr, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::connections;
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::replication::Tracker;
use crate::store::entities::{attempt, job};

/// Statuses that a job never leaves.
pub(crate) const FINAL: [&str; 3] = ["succeeded", "failed", "cancelled"];

/// Specs, checks and discovers that run at the same time.
const COMMANDS_MAX: usize = 8;

/// How a refresh treats what is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RefreshMode {
    /// Old rows go when the stream completes.
    Truncate,
    /// Old rows stay.
    Merge,
}

/// What a refresh job reads again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refresh {
    pub(crate) mode: RefreshMode,
    pub(crate) streams: Vec<StreamDescriptor>,
}

/// What a job does.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Sync,
    Refresh(Refresh),
    /// Removes the destination's rows and the state of these streams.
    Clear(Vec<StreamDescriptor>),
}

impl Work {
    fn config_type(&self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Refresh(_) => "refresh",
            Self::Clear(_) => "reset_connection",
        }
    }
}

/// A stream as a key of the database: its descriptor as compact JSON.
pub(crate) fn stream_key(stream: &StreamDescriptor) -> String {
    to_json(stream)
}

/// What happens for a connection right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for a slot, or an attempt runs: a cancel has something to stop.
    Active,
    /// Between two attempts.
    BackOff,
    /// The job's task has ended.
    Done,
}

#[derive(Clone)]
struct Running {
    job: i64,
    cancel: CancellationToken,
    /// Ends the job between attempts too.
    give_up: CancellationToken,
    phase: watch::Receiver<Phase>,
    progress: Arc<Mutex<Option<Arc<Tracker>>>>,
}

/// What runs in this process.
pub(crate) struct Supervisor {
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the engine stops.
    pub(crate) stop: CancellationToken,
    running: Mutex<HashMap<Uuid, Running>>,
    slots: Semaphore,
    commands: Semaphore,
}

impl Supervisor {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            running: Mutex::default(),
            slots: Semaphore::new(slots),
            commands: Semaphore::new(COMMANDS_MAX),
        }
    }

    /// A turn to run a one-shot command.
    pub(crate) async fn command_slot(&self) -> SemaphorePermit<'_> {
        let slot = self.commands.acquire().await;
        slot.expect("the semaphore is never closed")
    }

    /// Counts of the attempt that runs for a job.
    pub(crate) fn progress(&self, connection: Uuid, job: i64) -> Option<Arc<Tracker>> {
        let running = self.running(connection)?;
        let progress = running.progress.lock().unwrap_or_else(|e| e.into_inner());
        progress.clone().filter(|_| running.job == job)
    }

    /// Stops the active attempt of a connection and waits until it has stopped. Between two
    /// attempts there is nothing to stop.
    async fn cancel(&self, connection: Uuid) {
        let Some(mut running) = self.running(connection) else {
            return;
        };
        if *running.phase.borrow() != Phase::Active {
            return;
        }
        running.cancel.cancel();
        // The sender going away means that the task has ended.
        let _ = running
            .phase
            .wait_for(|phase| *phase != Phase::Active)
            .await;
    }

    /// Stops a connection's job for good, also between two attempts.
    pub(crate) async fn give_up(&self, connection: Uuid) {
        let Some(mut running) = self.running(connection) else {
            return;
        };
        running.give_up.cancel();
        running.cancel.cancel();
        let _ = running.phase.wait_for(|phase| *phase == Phase::Done).await;
    }

    /// Stops everything and waits; unfinished jobs stay resumable.
    pub(crate) async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn running(&self, connection: Uuid) -> Option<Running> {
        self.table().get(&connection).cloned()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Uuid, Running>> {
        self.running.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Engine {
    /// Starts a job and answers it; it runs on its own from here.
    pub(crate) async fn job_start(
        self: &Arc<Self>,
        connection: Uuid,
        work: Work,
    ) -> Result<job::Model, Fault> {
        if let Work::Clear(_) = work {
            self.jobs.cancel(connection).await;
        }
        let transaction = self.store.write().await?;
        let row = connections::find(&transaction, connection).await?;
        match row.status.as_str() {
            "active" => {}
            // A connection that is switched off may still be emptied.
            "inactive" if matches!(work, Work::Clear(_)) => {}
            "locked" => {
                return Err(Fault::Typed {
                    kind: "error:connection/locked",
                    detail: format!("connection {connection} is locked"),
                    data: serde_json::json!({"connectionId": connection}),
                });
            }
            _ => {
                return Err(Fault::StateConflict(format!(
                    "Can only sync an active connection, connection {connection} is {}",
                    row.status
                )));
            }
        }
        let selected = row.catalog()?.streams;
        let selected: Vec<_> = selected
            .iter()
            .map(|entry| entry.stream.descriptor())
            .collect();
        let (streams, refresh) = match &work {
            Work::Sync => (selected, None),
            Work::Refresh(refresh) => (selected, Some(to_json(refresh))),
            Work::Clear(streams) => (streams.clone(), None),
        };
        let now = self.clock.now_ms();
        let inserted = job::ActiveModel {
            connection_id: Set(connection),
            config_type: Set(work.config_type().to_owned()),
            status: Set("pending".to_owned()),
            streams: Set(to_json(&streams)),
            refresh: Set(refresh),
            created_at: Set(now),
            updated_at: Set(now),
            started_at: Set(None),
            ..Default::default()
        }
        .insert(&transaction)
        .await;
        let job = inserted.map_err(|error| already_running(connection, error))?;
        transaction.commit().await?;
        self.job_spawn(job.clone());
        Ok(job)
    }

    /// Runs an unfinished job on the engine's runtime.
    fn job_spawn(self: &Arc<Self>, job: job::Model) {
        let (phase, watch) = watch::channel(Phase::Active);
        let running = Running {
            job: job.id,
            cancel: CancellationToken::new(),
            give_up: CancellationToken::new(),
            phase: watch,
            progress: Arc::default(),
        };
        let connection = job.connection_id;
        self.jobs.table().insert(connection, running.clone());
        let engine = self.clone();
        self.spawn(async move {
            let id = job.id;
            if let Err(fault) = run::run(&engine, job, &running, &phase).await {
                // The job stays unfinished in the database and is resumed at the next start.
                tracing::error!(job.id = id, "job {id} cannot go on: {}", fault.chain());
            }
            let mut table = engine.jobs.table();
            if table.get(&connection).is_some_and(|now| now.job == id) {
                table.remove(&connection);
            }
            drop(table);
            phase.send_replace(Phase::Done);
            engine.scheduler.poke();
        });
    }

    /// Stops what runs at the connection of a job, even when that is a newer job, and answers the
    /// named one as it then is.
    pub(crate) async fn job_cancel(&self, id: i64) -> Result<job::Model, Fault> {
        let job = self.job(id).await?;
        self.jobs.cancel(job.connection_id).await;
        self.job(id).await
    }

    /// Marks jobs that no task runs for as cancelled; used when their connection is deleted.
    pub(crate) async fn jobs_cancel_waiting(&self, connection: Uuid) -> Result<(), Fault> {
        let transaction = self.store.write().await?;
        job::Entity::update_many()
            .col_expr(job::Column::Status, Expr::value("cancelled"))
            .col_expr(job::Column::UpdatedAt, Expr::value(self.clock.now_ms()))
            .filter(job::Column::ConnectionId.eq(connection))
            .filter(job::Column::Status.is_not_in(FINAL))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Resumes what a stopped or killed engine left unfinished.
    pub(crate) async fn jobs_resume(self: &Arc<Self>) -> Result<(), Fault> {
        let transaction = self.store.write().await?;
        run::fail_interrupted(&transaction, self.clock.now_ms()).await?;
        let unfinished = job::Entity::find()
            .filter(job::Column::Status.is_not_in(FINAL))
            .order_by_asc(job::Column::Id)
            .all(&transaction)
            .await?;
        transaction.commit().await?;
        for job in unfinished {
            tracing::info!(job.id = job.id, "resuming job {}", job.id);
            self.job_spawn(job);
        }
        Ok(())
    }

    /// A job by its id.
    pub(crate) async fn job(&self, id: i64) -> Result<job::Model, Fault> {
        job::Entity::find_by_id(id)
            .one(self.store.read())
            .await?
            .ok_or(Fault::UnknownJob(id))
    }

    /// Attempts of jobs, in order.
    pub(crate) async fn attempts(&self, jobs: &[i64]) -> Result<Vec<attempt::Model>, Fault> {
        attempts(self.store.read(), jobs).await
    }

    /// The job that a connection had before another one.
    pub(crate) async fn job_before(
        &self,
        connection: Uuid,
        job: i64,
    ) -> Result<Option<job::Model>, Fault> {
        Ok(job::Entity::find()
            .filter(job::Column::ConnectionId.eq(connection))
            .filter(job::Column::Id.lt(job))
            .order_by_desc(job::Column::Id)
            .one(self.store.read())
            .await?)
    }

    /// The job that was made last for a connection.
    pub(crate) async fn latest_job(&self, connection: Uuid) -> Result<Option<job::Model>, Fault> {
        Ok(job::Entity::find()
            .filter(job::Column::ConnectionId.eq(connection))
            .order_by_desc(job::Column::Id)
            .one(self.store.read())
            .await?)
    }
}

pub(crate) async fn attempts<C: ConnectionTrait>(
    db: &C,
    jobs: &[i64],
) -> Result<Vec<attempt::Model>, Fault> {
    Ok(attempt::Entity::find()
        .filter(Condition::all().add(attempt::Column::JobId.is_in(jobs.iter().copied())))
        .order_by_asc(attempt::Column::JobId)
        .order_by_asc(attempt::Column::Number)
        .all(db)
        .await?)
}

impl job::Model {
    /// What the job does.
    pub(crate) fn work(&self) -> Result<Work, Fault> {
        Ok(match (self.config_type.as_str(), &self.refresh) {
            ("refresh", Some(refresh)) => Work::Refresh(stored("refresh", refresh)?),
            ("reset_connection", _) => Work::Clear(stored("list of streams", &self.streams)?),
            _ => Work::Sync,
        })
    }
}

fn already_running(connection: Uuid, error: DbErr) -> Fault {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            Fault::TryAgainLater(format!("A sync is already running for: {connection}"))
        }
        _ => Fault::Database(error),
    }
}
