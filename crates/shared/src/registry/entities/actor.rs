//! `actors`: sources and destinations that connections share.
#![expect(missing_docs, reason = "the columns are described in docs/registry.md")]

use sea_orm::entity::prelude::*;

use crate::registry::status::ActorStatus;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "actors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub airbyte_instance: String,
    pub workspace_id: Uuid,
    pub airbyte_id: Option<Uuid>,
    pub status: ActorStatus,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
