//! `job_history`, written by the orchestrator.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{ExprTrait as _, OnConflict},
};
use uuid::Uuid;

use super::entities::job::{ActiveModel, Column, Entity, Model};
use super::status::JobStatus;
use super::{Error, Registry, now};

/// What is known of a job of Airbyte's.
#[derive(Debug, Clone)]
pub struct JobFacts {
    /// The connection.
    pub connection_id: Uuid,
    /// Airbyte's id; an integer there, a string here.
    pub airbyte_job_id: String,
    /// `sync`, `refresh`, `reset` or `clear`.
    pub job_type: String,
    /// Where it is.
    pub status: JobStatus,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// Rows that arrived.
    pub rows_synced: Option<i64>,
    /// Bytes that arrived.
    pub bytes_synced: Option<i64>,
    /// Attempts so far.
    pub attempts: i32,
}

impl Registry {
    /// Stores what is known of a job, whether or not it was known before; answers whether this call
    /// was the first to. A final state stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_record(&self, facts: &JobFacts) -> Result<bool, Error> {
        let at = now();
        let id = Uuid::now_v7();
        let writer = self.writer().await?;
        let row = ActiveModel {
            id: Set(id),
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
            started_by: Set(None),
        };
        let mut on_conflict = OnConflict::columns([Column::ConnectionId, Column::AirbyteJobId]);
        on_conflict
            .update_columns([
                Column::JobType,
                Column::Status,
                Column::StartedAt,
                Column::CompletedAt,
                Column::ErrorMessage,
                Column::RowsSynced,
                Column::BytesSynced,
                Column::Attempts,
                Column::UpdatedAt,
            ])
            .action_and_where(
                sea_orm::sea_query::Expr::col((Entity, Column::Status)).is_not_in([
                    JobStatus::Succeeded,
                    JobStatus::Failed,
                    JobStatus::Cancelled,
                ]),
            );
        Entity::insert(row)
            .on_conflict(on_conflict)
            .exec_without_returning(&writer)
            .await?;
        let stored: Option<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::ConnectionId.eq(facts.connection_id))
            .filter(Column::AirbyteJobId.eq(&facts.airbyte_job_id))
            .into_tuple()
            .one(&writer)
            .await?;
        writer.commit().await?;
        Ok(stored == Some(id))
    }

    /// The jobs of a connection, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_list(&self, connection_id: Uuid, limit: u64) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(&reader)
            .await?)
    }

    /// A job by Airbyte's id, on the instance whose connections are in this registry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_get(&self, airbyte_job_id: &str) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::AirbyteJobId.eq(airbyte_job_id))
            .order_by_desc(Column::Id)
            .one(&reader)
            .await?)
    }

    /// Jobs that had not ended when last looked at, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_list_open(&self, limit: u64) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::Status.is_in([JobStatus::Pending, JobStatus::Running]))
            .order_by_asc(Column::UpdatedAt)
            .limit(limit)
            .all(&reader)
            .await?)
    }
}
