//! `operation_steps`: the intent and the result of each step of an operation.
#![expect(missing_docs, reason = "the columns are described in docs/registry.md")]

use sea_orm::entity::prelude::*;

use crate::registry::status::StepStatus;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "operation_steps")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i32,
    pub intent: Option<String>,
    pub external_ref: Option<String>,
    pub status: StepStatus,
    pub error: Option<String>,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
