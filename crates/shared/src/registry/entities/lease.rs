//! `leases`: tasks that only one process, the leader, may run at a time.
#![expect(missing_docs, reason = "the columns are described in docs/registry.md")]

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub owner: String,
    pub until: ChronoDateTimeUtc,
    pub fencing: i64,
    pub position: i64,
    pub updated_at: ChronoDateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
