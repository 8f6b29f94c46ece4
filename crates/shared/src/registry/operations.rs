//! `operations`: work in several steps that survives the process doing it.
//!
//! An operation is held by a lease: owner, end, and a fencing counter that moves each time it
//! changes hands. Every write on its behalf checks the lease in the same transaction, so a process
//! that was paused past its lease's end can change nothing. Partial unique indexes allow one open
//! operation per connection, beside it one waiting sync and one trigger. Leases end by the database's
//! clock where it has one, since those of machines differ.

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
use crate::http::{actor, request_id};

/// Proof that this process may act for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The operation.
    pub operation_id: Uuid,
    /// The connection it is about.
    pub connection_id: Uuid,
    /// The process that holds it.
    pub owner: String,
    /// Moves each time the operation changes hands.
    pub fencing: i64,
    /// How long it lasts without being renewed.
    pub lasts: TimeDelta,
}

/// An operation to be.
#[derive(Debug, Clone, Copy)]
pub struct NewOperation<'a> {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub kind: OperationKind,
    /// The connection it is about.
    pub connection_id: Uuid,
    /// Where in Airbyte it works; outlives the connection's row.
    pub workspace_id: Option<Uuid>,
    /// What is to be done, a JSON document without secrets.
    pub request: &'a str,
    /// The process that begins it at once; without one it waits to be taken.
    pub owner: Option<&'a str>,
}

impl<'a> NewOperation<'a> {
    /// One that `owner` begins at once.
    pub fn begun(
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

/// How an operation ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// What came of it, a JSON document.
    pub result: Option<&'a str>,
    /// Why it failed; without one it succeeded.
    pub error: Option<&'a str>,
    /// Until when it is watched for what a create that timed out may still make.
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

    /// The same, watched until then.
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
    /// Begins an operation, or leaves it to be taken.
    ///
    /// # Errors
    /// `Conflict::OperationInProgress` when another one of the connection is open.
    pub async fn operation_begin(&self, new: NewOperation<'_>) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let lease = self.operation_insert(&writer, new).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// One operation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operation_get(&self, id: Uuid) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find_by_id(id).one(&reader).await?)
    }

    /// The open operation of that kind, if the connection has one.
    ///
    /// # Errors
    /// When the database fails.
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

    /// The operations of a connection, newest first; also of one that is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operation_list(&self, connection_id: Uuid) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .order_by_desc(Column::CreatedAt)
            .all(&reader)
            .await?)
    }

    /// Every operation in one of these states.
    ///
    /// # Errors
    /// When the database fails.
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
    /// `Conflict::LeaseLost` when it belongs to another process now.
    pub async fn operation_finish(&self, lease: &Lease, ending: Ending<'_>) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        finish(&writer, lease, ending).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Replaces what an operation is still to do.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when it belongs to another process now.
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
        let actor = actor::current();
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

/// Checks and extends a lease within the transaction of the write it guards.
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
        // The last step is the write that this is a part of.
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
    // One that settles is looked at at once.
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
