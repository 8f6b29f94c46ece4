//! `connections`: one row per onboarded connection.
#![expect(
    missing_docs,
    reason = "the columns are described in the contract and in docs/registry.md"
)]

use sea_orm::entity::prelude::*;

use crate::registry::status::ConnectionStatus;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connections")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub source_type: String,
    pub airbyte_source_id: Option<Uuid>,
    pub airbyte_connection_id: Option<Uuid>,
    pub status: ConnectionStatus,
    pub status_reason: Option<String>,
    pub airbyte_instance: String,
    pub workspace_id: Option<Uuid>,
    pub destination_id: Option<Uuid>,
    pub source_catalog_id: Option<Uuid>,
    pub credential_id: Option<String>,
    pub drift_policy: String,
    pub schedule: String,
    pub request_hash: String,
    pub current_version: i32,
    pub revision: i64,
    pub last_synced_at: Option<ChronoDateTimeUtc>,
    pub owns_source: bool,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
