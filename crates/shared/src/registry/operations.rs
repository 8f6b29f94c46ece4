//! `operations`: work in several steps that survives the process doing it.
//!
//! An operation is held by a lease: owner, end, and a fencing counter that moves each time it
//! changes hands. Every write on its behalf checks the lease in the same transaction, so a process
//! that was paused past its lease's end can change nothing. Partial unique indexes allow one open
//! onboarding or heal, and one waiting sync, per connection.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::SyncRequest;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use uuid::Uuid;

use super::connections::is_unique_violation;
use super::entities::operation::{self, Column, Entity, Model};

use super::status::{ConnectionStatus, OperationKind, OperationStatus};
use super::versions::{self, NewVersion};
use super::{Conflict, Error, Registry, now};
use crate::http::request_id;

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

impl Registry {
    /// Ends a heal well: the next version, the end of the operation and the sync that follows, in
    /// one write. Returns the version's number and the sync's operation.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more, `Conflict::Version` when the
    /// connection is not at `expected`.
    pub async fn heal_succeed(
        &self,
        lease: &Lease,
        expected: i32,
        source_catalog_id: Option<Uuid>,
        version: &NewVersion<'_>,
        sync_request: Option<&SyncRequest>,
    ) -> Result<(i32, Option<Uuid>), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        let number = versions::transition(
            &writer,
            lease.connection_id,
            expected,
            ConnectionStatus::Active,
            source_catalog_id,
            version,
        )
        .await?;
        let sync = match sync_request {
            Some(request) => Some(
                self.request_sync(&writer, lease.connection_id, request)
                    .await?,
            ),
            None => None,
        };
        let result = serde_json::json!({"version": number}).to_string();
        finish(
            &writer,
            lease,
            OperationStatus::Succeeded,
            Some(&result),
            None,
        )
        .await?;
        writer.commit().await?;
        Ok((number, sync))
    }

    /// Begins an operation held by `owner`.
    ///
    /// # Errors
    /// `Conflict::OperationInProgress` when another one of the connection is open.
    pub async fn operation_begin(
        &self,
        kind: OperationKind,
        connection_id: Uuid,
        request: &str,
        owner: &str,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let new = New {
            kind,
            connection_id,
            workspace_id: None,
            request,
            owner: Some(owner),
        };
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

    /// Takes one operation of that kind which nobody holds: a waiting one, or one whose holder
    /// let its lease run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operation_take(
        &self,
        kind: OperationKind,
        owner: &str,
    ) -> Result<Option<(Model, Lease)>, Error> {
        let free = || {
            Condition::any()
                .add(Column::Status.eq(OperationStatus::Pending))
                .add(
                    Condition::all()
                        .add(Column::Status.eq(OperationStatus::Running))
                        .add(Column::LeaseUntil.lt(now())),
                )
        };
        let reader = self.reader().await?;
        let candidates: Vec<Model> = Entity::find()
            .filter(Column::Kind.eq(kind))
            .filter(free())
            .order_by_asc(Column::CreatedAt)
            .limit(8)
            .all(&reader)
            .await?;
        drop(reader);
        for candidate in candidates {
            // The state is checked again by the write itself: of two takers one finds no row.
            let writer = self.writer().await?;
            let taken = Entity::update_many()
                .col_expr(Column::Status, Expr::value(OperationStatus::Running))
                .col_expr(Column::LeaseOwner, Expr::value(owner))
                .col_expr(Column::LeaseUntil, Expr::value(now() + self.inner.lease))
                .col_expr(Column::Fencing, Expr::value(candidate.fencing + 1))
                .col_expr(Column::UpdatedAt, Expr::value(now()))
                .filter(Column::Id.eq(candidate.id))
                .filter(Column::Fencing.eq(candidate.fencing))
                .filter(free())
                .exec(&writer)
                .await?;
            writer.commit().await?;
            if taken.rows_affected == 1 {
                let lease = Lease {
                    operation_id: candidate.id,
                    connection_id: candidate.connection_id,
                    owner: owner.to_owned(),
                    fencing: candidate.fencing + 1,
                    lasts: self.inner.lease,
                };
                return Ok(Some((candidate, lease)));
            }
        }
        Ok(None)
    }

    /// Holds on to an operation for as long as a lease lasts.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when it belongs to another process now.
    pub async fn operation_renew(&self, lease: &Lease) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Ends an operation.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when it belongs to another process now.
    pub async fn operation_finish(
        &self,
        lease: &Lease,
        status: OperationStatus,
        result: Option<&str>,
        error: Option<&str>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        finish(&writer, lease, status, result, error).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Puts an operation back for any process to take later, for instance because a job runs.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when it belongs to another process now.
    pub async fn operation_hand_back(
        &self,
        lease: &Lease,
        until: DateTime<Utc>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        // It stays `running` with a lease that ends at `until`: `pending` would be taken at once.
        Entity::update_many()
            .col_expr(Column::LeaseUntil, Expr::value(until))
            .filter(Column::Id.eq(lease.operation_id))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Whether an operation of that kind is open, held or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operation_waiting(&self, kind: OperationKind) -> Result<bool, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::Kind.eq(kind))
            .filter(Column::Status.is_in([OperationStatus::Pending, OperationStatus::Running]))
            .one(&reader)
            .await?
            .is_some())
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
}

/// Checks and extends a lease within the transaction of the write it guards.
pub(super) async fn assert_held(writer: &DatabaseTransaction, lease: &Lease) -> Result<(), Error> {
    let held = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(now() + lease.lasts))
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

/// An operation to be.
pub(super) struct New<'a> {
    pub(super) kind: OperationKind,
    pub(super) connection_id: Uuid,
    /// Where in Airbyte it works; outlives the connection's row.
    pub(super) workspace_id: Option<Uuid>,
    /// What is to be done, a JSON document without secrets.
    pub(super) request: &'a str,
    /// The process that begins it at once; without one it waits to be taken.
    pub(super) owner: Option<&'a str>,
}

impl Registry {
    pub(super) async fn operation_insert(
        &self,
        writer: &DatabaseTransaction,
        new: New<'_>,
    ) -> Result<Lease, Error> {
        let at = now();
        let id = Uuid::now_v7();
        let lasts = self.inner.lease;
        let status = if new.owner.is_some() {
            OperationStatus::Running
        } else {
            OperationStatus::Pending
        };
        let row = operation::ActiveModel {
            id: Set(id),
            kind: Set(new.kind),
            connection_id: Set(new.connection_id),
            status: Set(status),
            request: Set(new.request.to_owned()),
            result: Set(None),
            error: Set(None),
            request_id: Set(request_id::current()),
            lease_owner: Set(new.owner.map(str::to_owned)),
            lease_until: Set(new.owner.map(|_| at + lasts)),
            fencing: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            settle_until: Set(None),
            workspace_id: Set(new.workspace_id),
        };
        match Entity::insert(row).exec_without_returning(writer).await {
            Ok(_) => Ok(Lease {
                operation_id: id,
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

    /// Leaves a sync for the orchestrator to start. One that still waits is replaced, and the streams
    /// it was to read again are carried along.
    pub(super) async fn request_sync(
        &self,
        writer: &DatabaseTransaction,
        connection_id: Uuid,
        request: &SyncRequest,
    ) -> Result<Uuid, Error> {
        let document = |error: serde_json::Error| Error::Document(error.to_string());
        let mut merged = request.clone();
        let waiting = Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .filter(Column::Kind.eq(OperationKind::Sync))
            .filter(Column::Status.eq(OperationStatus::Pending))
            .one(writer)
            .await?;
        if let Some(waiting) = waiting {
            let earlier: SyncRequest = serde_json::from_str(&waiting.request).map_err(document)?;
            merged.add(earlier);
            Entity::update_many()
                .col_expr(Column::Status, Expr::value(OperationStatus::Failed))
                .col_expr(Column::Error, Expr::value("superseded by a newer request"))
                .col_expr(Column::UpdatedAt, Expr::value(now()))
                .filter(Column::Id.eq(waiting.id))
                .filter(Column::Status.eq(OperationStatus::Pending))
                .exec(writer)
                .await?;
        }
        let text = serde_json::to_string(&merged).map_err(document)?;
        let new = New {
            kind: OperationKind::Sync,
            connection_id,
            workspace_id: None,
            request: &text,
            owner: None,
        };
        Ok(self.operation_insert(writer, new).await?.operation_id)
    }
}

pub(super) async fn finish(
    writer: &DatabaseTransaction,
    lease: &Lease,
    status: OperationStatus,
    result: Option<&str>,
    error: Option<&str>,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::Result, Expr::value(result.map(str::to_owned)))
        .col_expr(Column::Error, Expr::value(error.map(str::to_owned)))
        .col_expr(
            Column::LeaseUntil,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .filter(Column::Id.eq(lease.operation_id))
        .exec(writer)
        .await?;
    Ok(())
}
