//! Updating and deleting a connection: guarded by its revision, completed in one write with the
//! event and the audit entry.

use contracts::Event;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    sea_query::Expr,
};
use serde_json::Value;
use uuid::Uuid;

use super::connections::{is_unique_violation, touched};
use super::entities::connection::{Column, Entity};
use super::operations::{Ending, Lease, NewOperation, assert_held, finish};
use super::status::ConnectionStatus;
use super::{Conflict, Error, Registry, audit, outbox};

/// The reason why a connection that is being deleted is INACTIVE.
pub const DELETING: &str = "deleting";

/// A change to a connection; absent members stay unchanged.
#[derive(Debug, Clone, Default)]
pub struct ConnectionChange {
    /// Its name.
    pub name: Option<String>,
    /// Its schedule, a JSON document.
    pub schedule: Option<String>,
    /// Its drift policy, as stored.
    pub drift_policy: Option<String>,
    /// ACTIVE or INACTIVE.
    pub status: Option<ConnectionStatus>,
}

impl Registry {
    /// Starts an operation on a connection that is still at `revision`.
    ///
    /// # Errors
    /// Returns `Conflict::Revision` if it is not, or `Conflict::OperationInProgress` if another
    /// operation is open.
    pub async fn operation_begin_at(
        &self,
        new: NewOperation<'_>,
        revision: Option<i64>,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let lease = self.operation_insert(&writer, new).await?;
        assert_revision(&writer, new.connection_id, revision).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Starts a deletion: from now on nothing syncs, heals or changes the connection.
    ///
    /// # Errors
    /// Returns `Conflict::Revision` if it is not at `revision`, or `Conflict::OperationInProgress`
    /// if another operation is open.
    pub async fn deletion_begin(
        &self,
        new: NewOperation<'_>,
        revision: Option<i64>,
        before: Value,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let lease = self.operation_insert(&writer, new).await?;
        assert_revision(&writer, new.connection_id, revision).await?;
        touched(Entity::update_many())
            .col_expr(Column::Status, Expr::value(ConnectionStatus::Inactive))
            .col_expr(Column::StatusReason, Expr::value(DELETING))
            .filter(Column::Id.eq(new.connection_id))
            .exec(&writer)
            .await?;
        let change = audit::Change {
            action: "connection.delete",
            target: new.connection_id.to_string(),
            connection_id: Some(new.connection_id),
            before: Some(before),
            after: None,
        };
        audit::append(&writer, change).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Completes a deletion: deletes the row and everything that belongs to it.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn deletion_succeed(&self, lease: &Lease, name: &str) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        Entity::delete_by_id(lease.connection_id)
            .exec(&writer)
            .await?;
        let event = Event::ConnectionDeleted {
            name: name.to_owned(),
        };
        outbox::append(&writer, Some(lease.connection_id), &event).await?;
        finish(&writer, lease, Ending::succeeded(None)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Ends a deletion that Airbyte rejected: the connection returns to its previous state.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn deletion_fail(
        &self,
        lease: &Lease,
        status: ConnectionStatus,
        status_reason: Option<&str>,
        error: &str,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        touched(Entity::update_many())
            .col_expr(Column::Status, Expr::value(status))
            .col_expr(
                Column::StatusReason,
                Expr::value(status_reason.map(str::to_owned)),
            )
            .filter(Column::Id.eq(lease.connection_id))
            .exec(&writer)
            .await?;
        finish(&writer, lease, Ending::failed(error)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Completes the trigger of a sync: records the job, and whether it was started by the trigger.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn trigger_succeed(
        &self,
        lease: &Lease,
        job_id: &str,
        is_new: bool,
    ) -> Result<(), Error> {
        let result = serde_json::json!({ "job_id": job_id });
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        if is_new {
            let change = audit::Change {
                action: "connection.sync",
                target: lease.connection_id.to_string(),
                connection_id: Some(lease.connection_id),
                before: None,
                after: Some(result.clone()),
            };
            audit::append(&writer, change).await?;
        }
        let text = result.to_string();
        let ending = Ending::succeeded(Some(&text));
        finish(&writer, lease, ending).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Records that orphans were deleted.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn orphans_removed(&self, orphans: &[contracts::Orphan]) -> Result<(), Error> {
        let writer = self.writer().await?;
        for orphan in orphans {
            let change = audit::Change {
                action: "orphan.delete",
                target: orphan.id.to_string(),
                connection_id: None,
                before: serde_json::to_value(orphan).ok(),
                after: None,
            };
            audit::append(&writer, change).await?;
        }
        writer.commit().await?;
        Ok(())
    }

    /// Stores a change that was applied in Airbyte, and ends its operation.
    ///
    /// # Errors
    /// Returns `Conflict::Name` if the name has been taken in the meantime, or
    /// `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn change_commit(
        &self,
        lease: &Lease,
        change: &ConnectionChange,
        before: Value,
        after: Value,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        let mut update = touched(Entity::update_many()).filter(Column::Id.eq(lease.connection_id));
        for (column, value) in [
            (Column::Name, &change.name),
            (Column::Schedule, &change.schedule),
            (Column::DriftPolicy, &change.drift_policy),
        ] {
            if let Some(value) = value {
                update = update.col_expr(column, Expr::value(value.clone()));
            }
        }
        if let Some(status) = change.status {
            update = update
                .col_expr(Column::Status, Expr::value(status))
                .col_expr(Column::StatusReason, Expr::value(Option::<String>::None));
        }
        match update.exec(&writer).await {
            Ok(_) => {}
            Err(error) if is_unique_violation(&error) => {
                return Err(Error::Conflict(Conflict::Name));
            }
            Err(error) => return Err(error.into()),
        }
        let fields = match &after {
            Value::Object(members) => members.keys().cloned().collect(),
            _ => Vec::new(),
        };
        outbox::append(
            &writer,
            Some(lease.connection_id),
            &Event::ConnectionUpdated { fields },
        )
        .await?;
        let logged = audit::Change {
            action: "connection.update",
            target: lease.connection_id.to_string(),
            connection_id: Some(lease.connection_id),
            before: Some(before),
            after: Some(after),
        };
        audit::append(&writer, logged).await?;
        finish(&writer, lease, Ending::succeeded(None)).await?;
        writer.commit().await?;
        Ok(())
    }
}

/// Rejects a change to a connection with a newer revision, within the transaction that starts it:
/// from then on the operation's row, which is unique per connection, keeps others out.
async fn assert_revision(
    writer: &DatabaseTransaction,
    connection_id: Uuid,
    expected: Option<i64>,
) -> Result<(), Error> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let revision: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Revision)
        .filter(Column::Id.eq(connection_id))
        .into_tuple()
        .one(writer)
        .await?;
    if revision == Some(expected) {
        Ok(())
    } else {
        Err(Error::Conflict(Conflict::Revision))
    }
}
