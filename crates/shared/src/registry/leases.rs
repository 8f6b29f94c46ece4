//! `leases`: duties that one process at a time has, by name.
//!
//! A duty is taken, renewed and given up by one compare-and-set each. It has an owner, an end and
//! a fencing counter that moves each time it changes hands; writes on its behalf check the counter
//! in their own transaction, so that a process that was paused past its lease's end changes
//! nothing. Ends are by the database's clock where it has one, since those of machines differ.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, EntityTrait as _, Statement};

use super::entities::lease::{self, Model};
use super::{Conflict, Error, Registry, now};

/// How long a duty lasts without being renewed.
pub const LASTS: TimeDelta = TimeDelta::seconds(10);
/// How often who has one renews it.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Gives events their sequence.
pub const RELAY: &str = "relay";
/// Feeds Redis.
pub const REDIS: &str = "redis";
/// Follows jobs.
pub const TRACKER: &str = "tracker";

/// Proof that this process has a duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Which.
    pub name: &'static str,
    /// The process.
    pub owner: String,
    /// Moves each time the duty changes hands.
    pub fencing: i64,
    /// How far the work had come when it was taken.
    pub position: i64,
}

impl Registry {
    /// Takes a duty that nobody has, or whose owner let it run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_take(&self, name: &'static str, owner: &str) -> Result<Option<Duty>, Error> {
        if self.lease_is_held(name).await? {
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
                Ok(Duty {
                    name,
                    owner: owner.to_owned(),
                    fencing: row.try_get("", "fencing")?,
                    position: row.try_get("", "position")?,
                })
            })
            .transpose()
    }

    /// Whether somebody has the duty; spares the others a write.
    async fn lease_is_held(&self, name: &str) -> Result<bool, Error> {
        let reader = self.reader().await?;
        let at = clock(&reader).await?;
        let row = lease::Entity::find_by_id(name).one(&reader).await?;
        Ok(row.is_some_and(|row| row.until >= at))
    }

    /// Holds on to a duty.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when another process has it now.
    pub async fn lease_renew(&self, duty: &Duty) -> Result<(), Error> {
        let writer = self.writer().await?;
        hold(&writer, duty, None).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Holds on to a duty and stores how far the work has come.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when another process has it now.
    pub async fn lease_advance(&self, duty: &Duty, position: i64) -> Result<(), Error> {
        let writer = self.writer().await?;
        hold(&writer, duty, Some(position)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Gives a duty up, for another process to take at once.
    ///
    /// # Errors
    /// When the database fails; then it runs out by itself.
    pub async fn lease_release(&self, duty: &Duty) -> Result<(), Error> {
        let writer = self.writer().await?;
        writer
            .execute_raw(Statement::from_sql_and_values(
                self.backend(),
                "UPDATE leases SET until = $1 WHERE name = $2 AND owner = $3 AND fencing = $4",
                [
                    DateTime::UNIX_EPOCH.into(),
                    duty.name.into(),
                    duty.owner.as_str().into(),
                    duty.fencing.into(),
                ],
            ))
            .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Every duty that was ever taken, and the moment by the clock that they are written with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_list(&self) -> Result<(Vec<Model>, DateTime<Utc>), Error> {
        let reader = self.reader().await?;
        let all = lease::Entity::find().all(&reader).await?;
        Ok((all, clock(&reader).await?))
    }
}

/// Renews a duty within a write on its behalf; the row is locked until the write is committed.
///
/// # Errors
/// `Conflict::LeaseLost` when another process has it now.
pub(super) async fn hold(
    writer: &DatabaseTransaction,
    duty: &Duty,
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
                duty.name.into(),
                duty.owner.as_str().into(),
                duty.fencing.into(),
            ],
        ))
        .await?
        .ok_or(Error::Conflict(Conflict::LeaseLost))?;
    Ok(row.try_get("", "position")?)
}

/// When a lease ends that lasts from now on, by the database's clock.
pub(super) fn ends_in(backend: DbBackend, lasts: TimeDelta) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust(format!(
            "clock_timestamp() + interval '{} milliseconds'",
            lasts.num_milliseconds()
        )),
        _ => Expr::value(now() + lasts),
    }
}

/// The moment by the database's clock; SQLite has none but ours.
pub(super) async fn clock(
    connection: &impl sea_orm::ConnectionTrait,
) -> Result<DateTime<Utc>, sea_orm::DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(now());
    }
    let asked = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS at");
    match connection.query_one_raw(asked).await? {
        Some(row) => row.try_get("", "at"),
        None => Ok(now()),
    }
}
