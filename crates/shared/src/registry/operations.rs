//! `operations`: durable operations in several steps, which survive a crash.
//!
//! A process holds an operation by a lease: owner, end, and a fencing counter that moves each time
//! it changes hands. Every write on its behalf checks the lease in the same transaction, so a
//! process that was paused beyond its lease's end can change nothing. Partial unique indexes allow
//! one open operation per connection, plus one waiting sync and one trigger. Leases end by the
//! database's clock where it has one, since machines' clocks differ.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction,
    EntityTrait as _, QueryFilter as _, QueryOrder as _, sea_query::Expr,
};
use uuid::Uuid;

use super::connections::is_unique_violation;
use super::entities::operation::{self, Column, Entity, Model};
use super::entities::operation_step;
use super::leases::{clock, ends_in};
use super::status::{OperationKind, OperationStatus, StepStatus};
use super::{Conflict, Error, Registry, now};
use context::{caller, request_id};

/// Proof that this process may act for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The operation.
    pub operation_id: Uuid,
    /// The connection it concerns.
    pub connection_id: Uuid,
    /// The process that holds it.
    pub owner: String,
    /// Moves each time the operation changes hands.
    pub fencing: i64,
    /// Its duration without renewal.
    pub lasts: TimeDelta,
}

/// An operation to create.
#[derive(Debug, Clone, Copy)]
pub struct NewOperation<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: OperationKind,
    /// The connection it concerns.
    pub connection_id: Uuid,
    /// The Airbyte workspace that it works in; outlives the connection's row.
    pub workspace_id: Option<Uuid>,
    /// The request, a JSON document without secrets.
    pub request: &'a str,
    /// The process that starts it at once; without one it waits to be claimed.
    pub owner: Option<&'a str>,
}

impl<'a> NewOperation<'a> {
    /// An operation that `owner` starts at once.
    pub fn started(
        kind: OperationKind,
        connection_id: Uuid,
        request: &'a str,
        owner: &'a str,
    ) -> Self {
        Self {
            id: Uuid::now_v7(),
            kind,
            connection_id,
            workspace_id: None,
            request,
            owner: Some(owner),
        }
    }
}

/// The outcome of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The result, a JSON document.
    pub result: Option<&'a str>,
    /// Why it failed; absent if it succeeded.
    pub error: Option<&'a str>,
    /// Until when to watch for objects that a timed-out create may still produce.
    pub settle_until: Option<DateTime<Utc>>,
}

impl<'a> Ending<'a> {
    /// It succeeded.
    pub fn succeeded(result: Option<&'a str>) -> Self {
        Self {
            result,
            error: None,
            settle_until: None,
        }
    }

    /// It failed.
    pub fn failed(error: &'a str) -> Self {
        Self {
            result: None,
            error: Some(error),
            settle_until: None,
        }
    }

    /// Adds the time until which it settles.
    #[must_use]
    pub fn settling(self, until: Option<DateTime<Utc>>) -> Self {
        Self {
            settle_until: until,
            ..self
        }
    }

    fn status(&self) -> OperationStatus {
        match (self.settle_until, self.error) {
            (Some(_), _) => OperationStatus::Settling,
            (None, None) => OperationStatus::Succeeded,
            (None, Some(_)) => OperationStatus::Failed,
        }
    }
}

impl Registry {
    /// Starts an operation, or leaves it to be claimed.
    ///
    /// # Errors
    /// Returns `Conflict::OperationInProgress` if the connection has another open operation.
    pub async fn operation_begin(&self, new: NewOperation<'_>) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let lease = self.operation_insert(&writer, new).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Returns an operation.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_get(&self, id: Uuid) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find_by_id(id).one(&reader).await?)
    }

    /// Returns the connection's open operation of that kind, if there is one.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_open(
        &self,
        connection_id: Uuid,
        kind: OperationKind,
    ) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .filter(Column::Kind.eq(kind))
            .filter(Column::Status.is_in([OperationStatus::Pending, OperationStatus::Running]))
            .one(&reader)
            .await?)
    }

    /// Returns the operations of a connection, newest first; works for a deleted connection too.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_list(&self, connection_id: Uuid) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .order_by_desc(Column::CreatedAt)
            .all(&reader)
            .await?)
    }

    /// Returns every operation in one of these states.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_list_in(
        &self,
        statuses: &[OperationStatus],
    ) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::Status.is_in(statuses.iter().copied()))
            .all(&reader)
            .await?)
    }

    /// Ends an operation.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if it now belongs to another process.
    pub async fn operation_finish(&self, lease: &Lease, ending: Ending<'_>) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        finish(&writer, lease, ending).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Replaces the remaining request of an operation.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if it now belongs to another process.
    pub async fn operation_set_request(&self, lease: &Lease, request: &str) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        Entity::update_many()
            .col_expr(Column::Request, Expr::value(request))
            .filter(Column::Id.eq(lease.operation_id))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }

    pub(super) async fn operation_insert(
        &self,
        writer: &DatabaseTransaction,
        new: NewOperation<'_>,
    ) -> Result<Lease, Error> {
        let at = now();
        let lasts = self.inner.lease;
        let actor = caller::current();
        let until = match new.owner {
            Some(_) => Some(clock(writer).await? + lasts),
            None => None,
        };
        let status = match new.owner {
            Some(_) => OperationStatus::Running,
            None => OperationStatus::Pending,
        };
        let row = operation::ActiveModel {
            id: Set(new.id),
            kind: Set(new.kind),
            connection_id: Set(new.connection_id),
            status: Set(status),
            request: Set(new.request.to_owned()),
            result: Set(None),
            error: Set(None),
            request_id: Set(request_id::current()),
            lease_owner: Set(new.owner.map(str::to_owned)),
            lease_until: Set(until),
            fencing: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            settle_until: Set(None),
            workspace_id: Set(new.workspace_id),
            actor: Set(Some(actor.name)),
            role: Set(Some(actor.role.as_str().to_owned())),
        };
        match Entity::insert(row).exec_without_returning(writer).await {
            Ok(_) => Ok(Lease {
                operation_id: new.id,
                connection_id: new.connection_id,
                owner: new.owner.unwrap_or_default().to_owned(),
                fencing: 1,
                lasts,
            }),
            Err(error) if is_unique_violation(&error) => {
                Err(Error::Conflict(Conflict::OperationInProgress))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Checks and extends a lease within the transaction of the write that it guards.
pub(super) async fn assert_held(writer: &DatabaseTransaction, lease: &Lease) -> Result<(), Error> {
    let held = Entity::update_many()
        .col_expr(
            Column::LeaseUntil,
            ends_in(writer.get_database_backend(), lease.lasts),
        )
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .filter(Column::Id.eq(lease.operation_id))
        .filter(Column::LeaseOwner.eq(lease.owner.as_str()))
        .filter(Column::Fencing.eq(lease.fencing))
        .filter(Column::Status.eq(OperationStatus::Running))
        .exec(writer)
        .await?;
    if held.rows_affected == 1 {
        Ok(())
    } else {
        Err(Error::Conflict(Conflict::LeaseLost))
    }
}

/// Ends an operation within the transaction of its last write.
pub(super) async fn finish(
    writer: &DatabaseTransaction,
    lease: &Lease,
    ending: Ending<'_>,
) -> Result<(), Error> {
    if ending.error.is_none() {
        // This write is part of the last step.
        operation_step::Entity::update_many()
            .col_expr(
                operation_step::Column::Status,
                Expr::value(StepStatus::Done),
            )
            .col_expr(operation_step::Column::UpdatedAt, Expr::value(now()))
            .filter(operation_step::Column::OperationId.eq(lease.operation_id))
            .filter(operation_step::Column::Status.eq(StepStatus::Intended))
            .exec(writer)
            .await?;
    }
    // A settling operation is due at once.
    let free = ending.settle_until.map(|_| DateTime::UNIX_EPOCH);
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(ending.status()))
        .col_expr(
            Column::Result,
            Expr::value(ending.result.map(str::to_owned)),
        )
        .col_expr(Column::Error, Expr::value(ending.error.map(str::to_owned)))
        .col_expr(Column::LeaseUntil, Expr::value(free))
        .col_expr(Column::SettleUntil, Expr::value(ending.settle_until))
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .filter(Column::Id.eq(lease.operation_id))
        .exec(writer)
        .await?;
    Ok(())
}
