//! Which process works on an operation: claiming, renewing and releasing it.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, DbBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};

use super::entities::operation::{Column, Entity, Model};
use super::leases::ends_in;
use super::operations::{Lease, assert_held};
use super::status::{OperationKind, OperationStatus};
use super::{Error, Registry, now};

/// Maximum number of candidates per attempt.
const CANDIDATES: u64 = 8;

impl Registry {
    /// Claims an operation of these kinds that no process holds: a waiting one, or one whose lease
    /// expired.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_claim(
        &self,
        kinds: &[OperationKind],
        owner: &str,
    ) -> Result<Option<(Model, Lease)>, Error> {
        let backend = self.backend();
        let free = || {
            let left = Condition::all()
                .add(Column::Status.eq(OperationStatus::Running))
                .add(has_ended(backend));
            Condition::all()
                .add(Column::Kind.is_in(kinds.iter().copied()))
                .add(
                    Condition::any()
                        .add(Column::Status.eq(OperationStatus::Pending))
                        .add(left),
                )
        };
        self.take(free, OperationStatus::Running, owner).await
    }

    /// Claims a settling operation that is due.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_claim_settling(
        &self,
        owner: &str,
    ) -> Result<Option<(Model, Lease)>, Error> {
        let backend = self.backend();
        let due = || {
            Condition::all()
                .add(Column::Status.eq(OperationStatus::Settling))
                .add(has_ended(backend))
        };
        self.take(due, OperationStatus::Settling, owner).await
    }

    async fn take(
        &self,
        free: impl Fn() -> Condition,
        status: OperationStatus,
        owner: &str,
    ) -> Result<Option<(Model, Lease)>, Error> {
        let reader = self.reader().await?;
        let candidates: Vec<Model> = Entity::find()
            .filter(free())
            .order_by_asc(Column::CreatedAt)
            .limit(CANDIDATES)
            .all(&reader)
            .await?;
        drop(reader);
        for candidate in candidates {
            // The write checks the state again: of two claimants one finds no row.
            let writer = self.writer().await?;
            let taken = Entity::update_many()
                .col_expr(Column::Status, Expr::value(status))
                .col_expr(Column::LeaseOwner, Expr::value(owner))
                .col_expr(
                    Column::LeaseUntil,
                    ends_in(self.backend(), self.inner.lease),
                )
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

    /// Renews the lease of an operation.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if it now belongs to another process.
    pub async fn operation_renew(&self, lease: &Lease) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Releases an operation, to be claimed by any process after a while, for example because a job
    /// is running.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if it now belongs to another process.
    pub async fn operation_release(&self, lease: &Lease, after: TimeDelta) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        // It stays `running` with a lease that ends then: `pending` would be claimed at once.
        Entity::update_many()
            .col_expr(Column::LeaseUntil, ends_in(self.backend(), after))
            .filter(Column::Id.eq(lease.operation_id))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Schedules the next check of a settling operation, or, without a time, ends it with its
    /// outcome.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_settle(
        &self,
        lease: &Lease,
        after: Option<TimeDelta>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        let until = after.map_or(Expr::value(Option::<DateTime<Utc>>::None), |after| {
            ends_in(self.backend(), after)
        });
        let mine = || {
            Entity::update_many()
                .col_expr(Column::LeaseUntil, until.clone())
                .col_expr(Column::UpdatedAt, Expr::value(now()))
                .filter(Column::Id.eq(lease.operation_id))
                .filter(Column::Fencing.eq(lease.fencing))
                .filter(Column::Status.eq(OperationStatus::Settling))
        };
        if after.is_some() {
            mine().exec(&writer).await?;
        } else {
            mine()
                .col_expr(Column::Status, Expr::value(OperationStatus::Succeeded))
                .filter(Column::Error.is_null())
                .exec(&writer)
                .await?;
            mine()
                .col_expr(Column::Status, Expr::value(OperationStatus::Failed))
                .filter(Column::Error.is_not_null())
                .exec(&writer)
                .await?;
        }
        writer.commit().await?;
        Ok(())
    }

    /// Whether an operation of that kind is open, held or not.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn operation_waiting(&self, kind: OperationKind) -> Result<bool, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::Kind.eq(kind))
            .filter(Column::Status.is_in([OperationStatus::Pending, OperationStatus::Running]))
            .one(&reader)
            .await?
            .is_some())
    }
}

/// Whether a lease has expired, by the clock that its end was written with.
fn has_ended(backend: DbBackend) -> Condition {
    Condition::all().add(match backend {
        DbBackend::Postgres => Expr::cust("lease_until < clock_timestamp()"),
        _ => Column::LeaseUntil.lt(now()),
    })
}
