//! `leases`: tasks that only one process at a time, the leader, may run, by name.
//!
//! A leader lease is acquired, renewed and released by one compare-and-set each. It has an owner,
//! an end and a fencing counter that moves each time it changes hands; writes on its behalf check
//! the counter in their own transaction, so that a process that was paused beyond its lease's end
//! changes nothing. Ends use the database's clock where it has one, since machines' clocks differ.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, EntityTrait as _, Statement};

use super::entities::lease::{self, Model};
use super::{Conflict, Error, Registry, now};

/// Duration of a leader lease without renewal.
pub const LASTS: TimeDelta = TimeDelta::seconds(10);
/// How often the leader renews its lease.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Assigns sequence numbers to events.
pub const RELAY: &str = "relay";
/// Publishes events to Redis.
pub const REDIS: &str = "redis";
/// Tracks jobs.
pub const TRACKER: &str = "tracker";

/// Proof that this process is the leader of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderLease {
    /// The task.
    pub name: &'static str,
    /// The process.
    pub owner: String,
    /// Moves each time the lease changes hands.
    pub fencing: i64,
    /// The progress of the work when the lease was acquired.
    pub position: i64,
}

impl Registry {
    /// Acquires a lease that no process holds, or whose owner let it expire.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn leader_acquire(
        &self,
        name: &'static str,
        owner: &str,
    ) -> Result<Option<LeaderLease>, Error> {
        if self.leader_is_held(name).await? {
            return Ok(None);
        }
        let writer = self.writer().await?;
        let backend = self.backend();
        let at = clock(&writer).await?;
        writer
            .execute_raw(Statement::from_sql_and_values(
                backend,
                "INSERT INTO leases (name, owner, until, fencing, position, updated_at) \
                 VALUES ($1, '', $2, 0, 0, $3) ON CONFLICT (name) DO NOTHING",
                [name.into(), DateTime::UNIX_EPOCH.into(), at.into()],
            ))
            .await?;
        let taken = writer
            .query_one_raw(Statement::from_sql_and_values(
                backend,
                "UPDATE leases SET owner = $1, until = $2, fencing = fencing + 1, updated_at = $3 \
                 WHERE name = $4 AND until < $5 RETURNING fencing, position",
                [
                    owner.into(),
                    (at + LASTS).into(),
                    at.into(),
                    name.into(),
                    at.into(),
                ],
            ))
            .await?;
        writer.commit().await?;
        taken
            .map(|row| {
                Ok(LeaderLease {
                    name,
                    owner: owner.to_owned(),
                    fencing: row.try_get("", "fencing")?,
                    position: row.try_get("", "position")?,
                })
            })
            .transpose()
    }

    /// Whether a process holds the lease; saves the others a write.
    async fn leader_is_held(&self, name: &str) -> Result<bool, Error> {
        let reader = self.reader().await?;
        let at = clock(&reader).await?;
        let row = lease::Entity::find_by_id(name).one(&reader).await?;
        Ok(row.is_some_and(|row| row.until >= at))
    }

    /// Renews a lease.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if another process holds it now.
    pub async fn leader_renew(&self, leader: &LeaderLease) -> Result<(), Error> {
        let writer = self.writer().await?;
        hold(&writer, leader, None).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Renews a lease and stores the progress of the work.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if another process holds it now.
    pub async fn leader_advance(&self, leader: &LeaderLease, position: i64) -> Result<(), Error> {
        let writer = self.writer().await?;
        hold(&writer, leader, Some(position)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Releases a lease, so that another process can acquire it at once.
    ///
    /// # Errors
    /// Returns an error if the database fails; the lease then expires.
    pub async fn leader_release(&self, leader: &LeaderLease) -> Result<(), Error> {
        let writer = self.writer().await?;
        writer
            .execute_raw(Statement::from_sql_and_values(
                self.backend(),
                "UPDATE leases SET until = $1 WHERE name = $2 AND owner = $3 AND fencing = $4",
                [
                    DateTime::UNIX_EPOCH.into(),
                    leader.name.into(),
                    leader.owner.as_str().into(),
                    leader.fencing.into(),
                ],
            ))
            .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Returns all leases that were ever acquired, and the current time by the clock that they are
    /// written with.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn leader_list(&self) -> Result<(Vec<Model>, DateTime<Utc>), Error> {
        let reader = self.reader().await?;
        let all = lease::Entity::find().all(&reader).await?;
        Ok((all, clock(&reader).await?))
    }
}

/// Renews a lease within a write on its behalf; the row is locked until the commit.
///
/// # Errors
/// Returns `Conflict::LeaseLost` if another process holds it now.
pub(super) async fn hold(
    writer: &DatabaseTransaction,
    leader: &LeaderLease,
    position: Option<i64>,
) -> Result<i64, Error> {
    let at = clock(writer).await?;
    let row = writer
        .query_one_raw(Statement::from_sql_and_values(
            writer.get_database_backend(),
            "UPDATE leases SET until = $1, updated_at = $2, position = COALESCE($3, position) \
             WHERE name = $4 AND owner = $5 AND fencing = $6 RETURNING position",
            [
                (at + LASTS).into(),
                at.into(),
                position.into(),
                leader.name.into(),
                leader.owner.as_str().into(),
                leader.fencing.into(),
            ],
        ))
        .await?
        .ok_or(Error::Conflict(Conflict::LeaseLost))?;
    Ok(row.try_get("", "position")?)
}

/// The end of a lease that starts now, by the database's clock.
pub(super) fn ends_in(backend: DbBackend, lasts: TimeDelta) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust(format!(
            "clock_timestamp() + interval '{} milliseconds'",
            lasts.num_milliseconds()
        )),
        _ => Expr::value(now() + lasts),
    }
}

/// The current time by the database's clock; SQLite has only ours.
pub(super) async fn clock(
    connection: &impl sea_orm::ConnectionTrait,
) -> Result<DateTime<Utc>, sea_orm::DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(now());
    }
    let response = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS at");
    match connection.query_one_raw(response).await? {
        Some(row) => row.try_get("", "at"),
        None => Ok(now()),
    }
}
