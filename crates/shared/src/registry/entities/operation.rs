//! `operations`: durable operations in several steps, which survive a crash.
#![expect(missing_docs, reason = "the columns are described in docs/registry.md")]

use sea_orm::entity::prelude::*;

use crate::registry::status::{OperationKind, OperationStatus};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "operations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: OperationKind,
    pub connection_id: Uuid,
    pub status: OperationStatus,
    pub request: String,
    pub result: Option<String>,
    pub error: Option<String>,
    pub request_id: Option<String>,
    pub lease_owner: Option<String>,
    pub lease_until: Option<ChronoDateTimeUtc>,
    pub fencing: i64,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
    pub settle_until: Option<ChronoDateTimeUtc>,
    pub workspace_id: Option<Uuid>,
    pub actor: Option<String>,
    pub role: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
