//! `idempotency_keys`: the requests with a key and their responses. A lease protects a row while
//! its request runs; if the process crashes, the lease expires and the request may be executed
//! again.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, UpdateMany,
    sea_query::Expr, sea_query::OnConflict,
};
use uuid::Uuid;

use super::entities::idempotency_key::{ActiveModel, Column, Entity, Model};
use super::leases::clock;
use super::{Error, Registry};

/// How long a request holds its key without renewal.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// How long a response is stored.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Identifies a row.
#[derive(Debug, Clone)]
pub struct KeyOf {
    /// The caller's unique id.
    pub actor: String,
    /// The operation; the service's name.
    pub operation: String,
    /// The key as the caller chose it.
    pub key: String,
}

/// A key that this request holds.
#[derive(Debug, Clone)]
pub struct Claimed {
    of: KeyOf,
    owner: String,
}

/// Result of claiming a key.
#[derive(Debug)]
pub enum Claim {
    /// The key is new, or its process crashed: execute this request.
    Mine(Claimed),
    /// The request was already answered.
    Answered(Box<Answer>),
    /// The key was used with a different request.
    OtherRequest,
    /// The same request is running.
    InFlight,
}

/// A stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers, a JSON document.
    pub headers: String,
    /// Its body; absent if it was not stored.
    pub body: Option<String>,
}

impl Registry {
    /// Claims a key for a request.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn idempotency_claim(&self, of: KeyOf, fingerprint: &str) -> Result<Claim, Error> {
        let owner = Uuid::now_v7().to_string();
        let writer = self.writer().await?;
        let at = clock(&writer).await?;
        let new = Entity::insert(ActiveModel {
            actor: Set(of.actor.clone()),
            operation: Set(of.operation.clone()),
            idempotency_key: Set(of.key.clone()),
            fingerprint: Set(fingerprint.to_owned()),
            owner: Set(owner.clone()),
            lease_until: Set(at + LEASE),
            status: Set(None),
            headers: Set(None),
            body: Set(None),
            created_at: Set(at),
            expires_at: Set(at + KEPT),
        })
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&writer)
        .await?;
        if new == 1 {
            writer.commit().await?;
            return Ok(Claim::Mine(Claimed { of, owner }));
        }
        let id = (of.actor.clone(), of.operation.clone(), of.key.clone());
        let Some(row) = Entity::find_by_id(id).one(&writer).await? else {
            // Released between the two statements; the next attempt finds it free.
            return Ok(Claim::InFlight);
        };
        let expired = row.expires_at <= at;
        if !expired {
            if row.fingerprint != fingerprint {
                return Ok(Claim::OtherRequest);
            }
            if let Some(answer) = answer(&row) {
                return Ok(Claim::Answered(Box::new(answer)));
            }
            if row.lease_until > at {
                return Ok(Claim::InFlight);
            }
        }
        // If two claims find it free, one comes first: the owner changes with every claim.
        let held = Claimed {
            of,
            owner: row.owner,
        };
        let mut taken = held
            .rows()
            .col_expr(Column::Owner, Expr::value(owner.as_str()))
            .col_expr(Column::LeaseUntil, Expr::value(at + LEASE));
        if expired {
            taken = taken
                .col_expr(Column::Fingerprint, Expr::value(fingerprint))
                .col_expr(Column::Status, Expr::value(None::<i32>))
                .col_expr(Column::Headers, Expr::value(None::<String>))
                .col_expr(Column::Body, Expr::value(None::<String>))
                .col_expr(Column::CreatedAt, Expr::value(at))
                .col_expr(Column::ExpiresAt, Expr::value(at + KEPT));
        } else {
            taken = taken.filter(Column::Status.is_null());
        }
        let taken = taken.exec(&writer).await?;
        writer.commit().await?;
        Ok(if taken.rows_affected == 1 {
            Claim::Mine(Claimed { owner, ..held })
        } else {
            Claim::InFlight
        })
    }

    /// Renews the claim while its request runs; returns whether it is still held.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn idempotency_renew(&self, claimed: &Claimed) -> Result<bool, Error> {
        let writer = self.writer().await?;
        let at = clock(&writer).await?;
        let renewed = claimed
            .rows()
            .col_expr(Column::LeaseUntil, Expr::value(at + LEASE))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(renewed.rows_affected == 1)
    }

    /// Stores the response of a request.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn idempotency_store(&self, claimed: &Claimed, answer: Answer) -> Result<(), Error> {
        let writer = self.writer().await?;
        claimed
            .rows()
            .col_expr(Column::Status, Expr::value(i32::from(answer.status)))
            .col_expr(Column::Headers, Expr::value(answer.headers))
            .col_expr(Column::Body, Expr::value(answer.body))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Releases a key, so that the request may be sent again.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn idempotency_release(&self, claimed: &Claimed) -> Result<(), Error> {
        let writer = self.writer().await?;
        Entity::delete_many()
            .filter(Column::Actor.eq(claimed.of.actor.as_str()))
            .filter(Column::Operation.eq(claimed.of.operation.as_str()))
            .filter(Column::IdempotencyKey.eq(claimed.of.key.as_str()))
            .filter(Column::Owner.eq(claimed.owner.as_str()))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Deletes expired rows.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn idempotency_sweep(&self) -> Result<u64, Error> {
        let writer = self.writer().await?;
        let at = clock(&writer).await?;
        let swept = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(at))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(swept.rows_affected)
    }
}

impl Claimed {
    /// An update of the row that applies only while it is held.
    fn rows(&self) -> UpdateMany<Entity> {
        Entity::update_many()
            .filter(Column::Actor.eq(self.of.actor.as_str()))
            .filter(Column::Operation.eq(self.of.operation.as_str()))
            .filter(Column::IdempotencyKey.eq(self.of.key.as_str()))
            .filter(Column::Owner.eq(self.owner.as_str()))
    }
}

fn answer(row: &Model) -> Option<Answer> {
    Some(Answer {
        status: u16::try_from(row.status?).ok()?,
        headers: row.headers.clone().unwrap_or_default(),
        body: row.body.clone(),
    })
}
