//! `job_history`, written by the orchestrator.

use chrono::{DateTime, Utc};
use contracts::Event;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::entities::job::{ActiveModel, Column, Entity, Model};
use super::entities::{connection, operation};
use super::status::{JobStatus, OperationKind, OperationStatus};
use super::{Error, Registry, now, outbox};

/// The known facts about an Airbyte job.
#[derive(Debug, Clone)]
pub struct JobFacts {
    /// The connection.
    pub connection_id: Uuid,
    /// Airbyte's id, which is an integer there.
    pub airbyte_job_id: String,
    /// `sync`, `refresh`, `reset` or `clear`.
    pub job_type: String,
    /// Its status.
    pub status: JobStatus,
    /// When its first attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// Rows synced.
    pub rows_synced: Option<i64>,
    /// Bytes synced.
    pub bytes_synced: Option<i64>,
    /// Attempts so far.
    pub attempts: i32,
}

/// Who started a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedBy {
    /// AAM, for a caller or after a heal.
    Aam,
    /// Airbyte's scheduler, or a user in Airbyte.
    Airbyte,
}

impl StartedBy {
    /// The spelling in the table and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aam => "aam",
            Self::Airbyte => "airbyte",
        }
    }
}

/// The effect of storing a job's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobStored {
    /// The job was not known before.
    pub is_new: bool,
    /// These facts ended the job.
    pub has_ended: bool,
}

impl Registry {
    /// Stores a job's facts and the resulting events in one write. A final status is kept, as is
    /// the information about who started the job. A job of a deleted connection is ignored.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_store(
        &self,
        facts: &JobFacts,
        started_by: Option<StartedBy>,
    ) -> Result<JobStored, Error> {
        let writer = self.writer().await?;
        let connection = connection::Entity::find_by_id(facts.connection_id)
            .select_only()
            .column(connection::Column::Id)
            .into_tuple::<Uuid>();
        if connection.one(&writer).await?.is_none() {
            return Ok(JobStored::default());
        }
        let is_new = insert(&writer, facts, started_by).await?;
        let is_open = is_new || update(&writer, facts, started_by).await?;
        let has_ended = is_open && facts.status.is_final();
        if is_new {
            let started = Event::SyncStarted {
                job_id: facts.airbyte_job_id.clone(),
                job_type: facts.job_type.clone(),
            };
            outbox::append(&writer, Some(facts.connection_id), &started).await?;
        }
        if has_ended {
            if let Some(event) = ended(facts) {
                outbox::append(&writer, Some(facts.connection_id), &event).await?;
            }
            if facts.status == JobStatus::Succeeded && facts.moves_data() {
                note_success(&writer, facts).await?;
            }
        }
        writer.commit().await?;
        Ok(JobStored { is_new, has_ended })
    }

    /// Returns the jobs of a connection, newest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_list(&self, connection_id: Uuid, limit: u64) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(&reader)
            .await?)
    }

    /// Returns a job by Airbyte's id, on the instance whose connections are in this registry.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_get(&self, airbyte_job_id: &str) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::AirbyteJobId.eq(airbyte_job_id))
            .order_by_desc(Column::Id)
            .one(&reader)
            .await?)
    }

    /// Returns jobs that were open when last checked, of connections on that Airbyte, oldest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_list_open(&self, instance: &str, limit: u64) -> Result<Vec<Model>, Error> {
        let here = connection::Entity::find()
            .select_only()
            .column(connection::Column::Id)
            .filter(connection::Column::AirbyteInstance.eq(instance))
            .into_query();
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::Status.is_in([JobStatus::Pending, JobStatus::Running]))
            .filter(Column::ConnectionId.in_subquery(here))
            .order_by_asc(Column::CreatedAt)
            .limit(limit)
            .all(&reader)
            .await?)
    }

    /// Returns Airbyte's id of the most recently stored open job, of connections on that Airbyte.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_newest_open(&self, instance: &str) -> Result<Option<String>, Error> {
        let here = connection::Entity::find()
            .select_only()
            .column(connection::Column::Id)
            .filter(connection::Column::AirbyteInstance.eq(instance))
            .into_query();
        let reader = self.reader().await?;
        Ok(Entity::find()
            .select_only()
            .column(Column::AirbyteJobId)
            .filter(Column::Status.is_in([JobStatus::Pending, JobStatus::Running]))
            .filter(Column::ConnectionId.in_subquery(here))
            .order_by_desc(Column::CreatedAt)
            .limit(1)
            .into_tuple()
            .one(&reader)
            .await?)
    }

    /// Returns the stored rows of these Airbyte jobs.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_list_of(&self, airbyte_job_ids: &[String]) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        let ids = airbyte_job_ids.iter().map(String::as_str);
        Ok(Entity::find()
            .filter(Column::AirbyteJobId.is_in(ids))
            .all(&reader)
            .await?)
    }

    /// Returns the connections with these Airbyte ids.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_connections(
        &self,
        instance: &str,
        airbyte_connection_ids: &[Uuid],
    ) -> Result<Vec<JobConnection>, Error> {
        use connection::Column;
        let reader = self.reader().await?;
        let ids = airbyte_connection_ids.iter().copied();
        let known: Vec<(Uuid, Uuid)> = connection::Entity::find()
            .select_only()
            .columns([Column::Id, Column::AirbyteConnectionId])
            .filter(Column::AirbyteConnectionId.is_in(ids))
            .filter(Column::AirbyteInstance.eq(instance))
            .into_tuple()
            .all(&reader)
            .await?;
        let starting: Vec<Uuid> = operation::Entity::find()
            .select_only()
            .column(operation::Column::ConnectionId)
            .filter(operation::Column::ConnectionId.is_in(known.iter().map(|(id, _)| *id)))
            .filter(operation::Column::Kind.is_in([OperationKind::Sync, OperationKind::Trigger]))
            .filter(
                operation::Column::Status
                    .is_in([OperationStatus::Pending, OperationStatus::Running]),
            )
            .into_tuple()
            .all(&reader)
            .await?;
        Ok(known
            .into_iter()
            .map(|(id, airbyte_id)| JobConnection {
                id,
                airbyte_id,
                is_starting: starting.contains(&id),
            })
            .collect())
    }

    /// Returns the workspaces of the connections on that Airbyte.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn job_workspaces(&self, instance: &str) -> Result<Vec<Uuid>, Error> {
        use connection::Column;
        let reader = self.reader().await?;
        Ok(connection::Entity::find()
            .select_only()
            .column(Column::WorkspaceId)
            .distinct()
            .filter(Column::AirbyteInstance.eq(instance))
            .filter(Column::AirbyteConnectionId.is_not_null())
            .filter(Column::WorkspaceId.is_not_null())
            .into_tuple()
            .all(&reader)
            .await?)
    }
}

/// A connection whose jobs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobConnection {
    /// Its id.
    pub id: Uuid,
    /// Its id in Airbyte.
    pub airbyte_id: Uuid,
    /// Whether AAM is currently starting a job for it, which may be the listed one.
    pub is_starting: bool,
}

impl JobFacts {
    fn moves_data(&self) -> bool {
        matches!(self.job_type.as_str(), "sync" | "refresh")
    }
}

async fn insert(
    writer: &DatabaseTransaction,
    facts: &JobFacts,
    started_by: Option<StartedBy>,
) -> Result<bool, Error> {
    let at = now();
    let row = ActiveModel {
        id: Set(Uuid::now_v7()),
        connection_id: Set(facts.connection_id),
        airbyte_job_id: Set(facts.airbyte_job_id.clone()),
        job_type: Set(facts.job_type.clone()),
        status: Set(facts.status),
        started_at: Set(facts.started_at),
        completed_at: Set(facts.completed_at),
        error_message: Set(facts.error_message.clone()),
        rows_synced: Set(facts.rows_synced),
        bytes_synced: Set(facts.bytes_synced),
        attempts: Set(facts.attempts),
        created_at: Set(at),
        updated_at: Set(at),
        started_by: Set(started_by.map(|by| by.as_str().to_owned())),
    };
    let mut unless_known = OnConflict::columns([Column::ConnectionId, Column::AirbyteJobId]);
    unless_known.do_nothing();
    let inserted = Entity::insert(row)
        .on_conflict(unless_known)
        .exec_without_returning(writer)
        .await;
    match inserted {
        Ok(rows) => Ok(rows == 1),
        Err(DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether the job was still open before.
async fn update(
    writer: &DatabaseTransaction,
    facts: &JobFacts,
    started_by: Option<StartedBy>,
) -> Result<bool, Error> {
    let own = |query: sea_orm::UpdateMany<Entity>| {
        query
            .filter(Column::ConnectionId.eq(facts.connection_id))
            .filter(Column::AirbyteJobId.eq(&facts.airbyte_job_id))
    };
    if let Some(by) = started_by {
        own(Entity::update_many().col_expr(Column::StartedBy, Expr::value(by.as_str())))
            .filter(Column::StartedBy.is_null())
            .exec(writer)
            .await?;
    }
    let updated = own(Entity::update_many()
        .col_expr(Column::JobType, Expr::value(&facts.job_type))
        .col_expr(Column::Status, Expr::value(facts.status))
        .col_expr(Column::StartedAt, Expr::value(facts.started_at))
        .col_expr(Column::CompletedAt, Expr::value(facts.completed_at))
        .col_expr(
            Column::ErrorMessage,
            Expr::value(facts.error_message.clone()),
        )
        .col_expr(Column::RowsSynced, Expr::value(facts.rows_synced))
        .col_expr(Column::BytesSynced, Expr::value(facts.bytes_synced))
        .col_expr(Column::Attempts, Expr::value(facts.attempts))
        .col_expr(Column::UpdatedAt, Expr::value(now())))
    .filter(Column::Status.is_not_in([
        JobStatus::Succeeded,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ]))
    .exec(writer)
    .await?;
    Ok(updated.rows_affected == 1)
}

/// Records when the connection's data was last updated; an older job never moves it back.
async fn note_success(writer: &DatabaseTransaction, facts: &JobFacts) -> Result<(), Error> {
    use connection::Column;
    let at = facts.completed_at.unwrap_or_else(now);
    connection::Entity::update_many()
        .col_expr(Column::LastSyncedAt, Expr::value(at))
        .filter(Column::Id.eq(facts.connection_id))
        .filter(
            Condition::any()
                .add(Column::LastSyncedAt.is_null())
                .add(Column::LastSyncedAt.lt(at)),
        )
        .exec(writer)
        .await?;
    Ok(())
}

fn ended(facts: &JobFacts) -> Option<Event> {
    let (job_id, job_type) = (facts.airbyte_job_id.clone(), facts.job_type.clone());
    match facts.status {
        JobStatus::Succeeded => Some(Event::SyncSucceeded {
            job_id,
            job_type,
            rows: facts.rows_synced,
            bytes: facts.bytes_synced,
        }),
        JobStatus::Failed => Some(Event::SyncFailed {
            job_id,
            job_type,
            reason: facts.error_message.clone(),
        }),
        JobStatus::Cancelled => Some(Event::SyncCancelled { job_id, job_type }),
        JobStatus::Pending | JobStatus::Running => None,
    }
}
