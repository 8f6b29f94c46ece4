//! `job_history`: one row per Airbyte job that AAM started or observed.
#![expect(
    missing_docs,
    reason = "the columns are described in the contract and in docs/registry.md"
)]

use sea_orm::entity::prelude::*;

use crate::registry::status::JobStatus;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_history")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub connection_id: Uuid,
    pub airbyte_job_id: String,
    pub job_type: String,
    pub status: JobStatus,
    pub started_at: Option<ChronoDateTimeUtc>,
    pub completed_at: Option<ChronoDateTimeUtc>,
    pub error_message: Option<String>,
    pub rows_synced: Option<i64>,
    pub bytes_synced: Option<i64>,
    pub attempts: i32,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
    pub started_by: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
