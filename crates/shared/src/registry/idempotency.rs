//! `idempotency_keys`: which requests were answered, and how. A row is held by a lease while its
//! request runs; when the process dies the lease runs out and the request may be carried out again.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, UpdateMany,
    sea_query::Expr, sea_query::OnConflict,
};
use uuid::Uuid;

use super::entities::idempotency_key::{ActiveModel, Column, Entity, Model};
use super::leases::clock;
use super::{Error, Registry};

/// How long a request holds its key without renewing it.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// What a row is found by.
#[derive(Debug, Clone)]
pub struct KeyOf {
    /// Tells callers apart.
    pub actor: String,
    /// What was asked; the service's name.
    pub operation: String,
    /// As the caller chose it.
    pub key: String,
}

/// A key that this request holds.
#[derive(Debug, Clone)]
pub struct Claimed {
    of: KeyOf,
    owner: String,
}

/// What a key stands for.
#[derive(Debug)]
pub enum Claim {
    /// It is new, or its process died: this request is to be carried out.
    Mine(Claimed),
    /// It was answered.
    Answered(Box<Answer>),
    /// It belongs to another request.
    OtherRequest,
    /// The same request runs.
    InFlight,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What else belongs to it, a JSON document.
    pub headers: String,
    /// Its body; absent where it was not kept.
    pub body: Option<String>,
}

impl Registry {
    /// Claims a key for a request.
    ///
    /// # Errors
    /// When the database fails.
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
            // Given up between the two statements; the next try finds it free.
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
        // Of two that find it free one is first: the owner changes with every claim.
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

    /// Holds on to a key while its request runs; tells whether it is still held.
    ///
    /// # Errors
    /// When the database fails.
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

    /// Keeps the answer of a request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_keep(&self, claimed: &Claimed, answer: Answer) -> Result<(), Error> {
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

    /// Gives a key up, so that the request may be sent again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotency_give_up(&self, claimed: &Claimed) -> Result<(), Error> {
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

    /// Removes what was kept for long enough.
    ///
    /// # Errors
    /// When the database fails.
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
    /// An update of the row, as long as it is held.
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
