//! `credentials` as a SeaORM entity.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) source_type: String,
    pub(crate) kind: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) config: String,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) updated_at: ChronoDateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
