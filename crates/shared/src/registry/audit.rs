//! `audit_log`: who changed what, written in the transaction that makes the change. It never
//! contains a secret: callers pass what a caller of the API may read.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use serde_json::Value;
use uuid::Uuid;

use super::entities::audit;
use super::{Error, Registry, now};
use context::{caller, request_id};

/// A change to record.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The action, for example `connection.patch`.
    pub action: &'static str,
    /// The target: a connection's, credential's or key's id.
    pub target: String,
    /// The connection, if the change concerns one.
    pub connection_id: Option<Uuid>,
    /// The old value.
    pub before: Option<Value>,
    /// The new value.
    pub after: Option<Value>,
}

/// Appends a change within its transaction; the task carries the caller and the request id.
///
/// # Errors
/// Returns an error if the database fails.
pub async fn append(writer: &DatabaseTransaction, change: Change) -> Result<(), Error> {
    let actor = caller::current();
    audit::Entity::insert(audit::ActiveModel {
        id: Set(Uuid::now_v7()),
        service: Set(actor.service.to_owned()),
        actor: Set(actor.name),
        role: Set(actor.role.as_str().to_owned()),
        action: Set(change.action.to_owned()),
        target: Set(change.target),
        connection_id: Set(change.connection_id),
        before: Set(change.before.map(|value| value.to_string())),
        after: Set(change.after.map(|value| value.to_string())),
        request_id: Set(request_id::current()),
        created_at: Set(now()),
    })
    .exec_without_returning(writer)
    .await?;
    Ok(())
}

/// Filters the list of changes.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only changes of this connection.
    pub connection_id: Option<Uuid>,
    /// Only changes that this caller requested.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only changes since this time.
    pub since: Option<DateTime<Utc>>,
}

impl Registry {
    /// Records a change that is about to be made in Airbyte only.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn audit_note(&self, change: Change) -> Result<(), Error> {
        let writer = self.writer().await?;
        append(&writer, change).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Returns at most `limit` changes before the one with id `before`, newest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn audit_page(
        &self,
        filter: &AuditFilter,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<audit::Model>, Error> {
        use audit::Column;
        let mut query = audit::Entity::find().order_by_desc(Column::Id).limit(limit);
        if let Some(connection) = filter.connection_id {
            query = query.filter(Column::ConnectionId.eq(connection));
        }
        if let Some(actor) = &filter.actor {
            query = query.filter(Column::Actor.eq(actor.as_str()));
        }
        if let Some(action) = &filter.action {
            query = query.filter(Column::Action.eq(action.as_str()));
        }
        if let Some(since) = filter.since {
            query = query.filter(Column::CreatedAt.gte(since));
        }
        if let Some(before) = before {
            query = query.filter(Column::Id.lt(before));
        }
        let reader = self.reader().await?;
        Ok(query.all(&reader).await?)
    }
}
