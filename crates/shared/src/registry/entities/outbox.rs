//! `outbox`: events in the order of insertion, until the relay assigns their sequence numbers.
#![expect(missing_docs, reason = "the columns are described in docs/registry.md")]

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub sequence: Option<i64>,
    pub kind: String,
    pub connection_id: Option<Uuid>,
    pub data: String,
    pub request_id: Option<String>,
    pub created_at: ChronoDateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
