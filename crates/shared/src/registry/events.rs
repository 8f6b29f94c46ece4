//! The reading side of `outbox`: the relay assigns sequence numbers, and listeners read from a
//! sequence number on.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::EVENT_VERSION;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement,
};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::entities::outbox::{Column, Entity, Model};
use super::leases::{self, LeaderLease};
use super::{Error, Registry, now};

/// How long events are kept.
pub const KEPT: TimeDelta = TimeDelta::days(7);
/// Maximum number of events that get their sequence number in one write.
pub const BATCH: u64 = 500;

/// An event with its sequence number, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its sequence number.
    pub sequence: i64,
    /// Its kind, for example `sync.succeeded`.
    pub kind: String,
    /// The connection it concerns.
    pub connection_id: Option<Uuid>,
    /// The document that listeners receive: [`contracts::EventView`].
    pub json: String,
}

/// Filters events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only these kinds; all if empty.
    pub kinds: Vec<String>,
    /// Only events of this connection.
    pub connection_id: Option<Uuid>,
}

impl EventFilter {
    /// Whether the event matches.
    pub fn matches(&self, event: &EventRecord) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.connection_id.is_none() || self.connection_id == event.connection_id)
    }
}

/// The range of stored events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRange {
    /// Sequence number of the oldest stored event.
    pub oldest: Option<i64>,
    /// Highest assigned sequence number, whether the event is still stored or not.
    pub newest: i64,
}

impl Registry {
    /// Assigns the next sequence numbers to at most [`BATCH`] committed events without one; returns
    /// how many. Two relays never assign the same number: the row of the leader's lease is locked
    /// until the commit.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if another process relays now.
    pub async fn event_sequence(&self, leader: &LeaderLease) -> Result<u64, Error> {
        let writer = self.writer().await?;
        let position = leases::hold(&writer, leader, None).await?;
        let given = writer
            .execute_raw(Statement::from_sql_and_values(
                self.backend(),
                "UPDATE outbox SET sequence = numbered.place + $1 FROM \
                 (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place FROM outbox \
                  WHERE sequence IS NULL ORDER BY id LIMIT $2) AS numbered \
                 WHERE outbox.id = numbered.id AND outbox.sequence IS NULL",
                [position.into(), i64::try_from(BATCH).unwrap_or(500).into()],
            ))
            .await?
            .rows_affected();
        if given > 0 {
            let position = position + i64::try_from(given).unwrap_or(0);
            leases::hold(&writer, leader, Some(position)).await?;
        }
        writer.commit().await?;
        Ok(given)
    }

    /// Returns since when the oldest event without a sequence number has been waiting, if there is
    /// one.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn event_waiting_since(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let reader = self.reader().await?;
        let at: Option<DateTime<Utc>> = Entity::find()
            .select_only()
            .column(Column::CreatedAt)
            .filter(Column::Sequence.is_null())
            .order_by_asc(Column::Id)
            .limit(1)
            .into_tuple()
            .one(&reader)
            .await?;
        Ok(at)
    }

    /// Returns at most `limit` events after that sequence number, in order.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn event_page(
        &self,
        after: i64,
        filter: &EventFilter,
        limit: u64,
    ) -> Result<Vec<EventRecord>, Error> {
        let mut query = Entity::find()
            .filter(Column::Sequence.gt(after))
            .order_by_asc(Column::Sequence)
            .limit(limit);
        if !filter.kinds.is_empty() {
            query = query.filter(Column::Kind.is_in(filter.kinds.iter().map(String::as_str)));
        }
        if let Some(connection_id) = filter.connection_id {
            query = query.filter(Column::ConnectionId.eq(connection_id));
        }
        let reader = self.reader().await?;
        query
            .all(&reader)
            .await?
            .into_iter()
            .map(EventRecord::from_row)
            .collect()
    }

    /// Returns the range of stored events.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn event_range(&self) -> Result<EventRange, Error> {
        let reader = self.reader().await?;
        let oldest: Option<i64> = Entity::find()
            .select_only()
            .column(Column::Sequence)
            .filter(Column::Sequence.is_not_null())
            .order_by_asc(Column::Sequence)
            .limit(1)
            .into_tuple()
            .one(&reader)
            .await?;
        let relay = super::entities::lease::Entity::find_by_id(leases::RELAY)
            .one(&reader)
            .await?;
        let newest = relay.map_or(0, |row| row.position);
        Ok(EventRange { oldest, newest })
    }

    /// Deletes at most 1,000 events that are older than [`KEPT`]; returns how many.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn event_forget(&self) -> Result<u64, Error> {
        let writer = self.writer().await?;
        let gone = writer
            .execute_raw(Statement::from_sql_and_values(
                self.backend(),
                "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < $1 \
                 AND sequence IS NOT NULL ORDER BY sequence LIMIT 1000)",
                [(now() - KEPT).into()],
            ))
            .await?
            .rows_affected();
        writer.commit().await?;
        Ok(gone)
    }
}

#[derive(Serialize)]
struct View<'a> {
    sequence: i64,
    id: Uuid,
    version: u32,
    connection_id: Option<Uuid>,
    time: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    data: &'a RawValue,
}

impl EventRecord {
    /// The document is assembled from the row's text, so that an older version can publish events
    /// that a newer one wrote.
    fn from_row(row: Model) -> Result<Self, Error> {
        let unreadable = |error: serde_json::Error| Error::Document(error.to_string());
        let data: &RawValue = serde_json::from_str(&row.data).map_err(unreadable)?;
        let sequence = row.sequence.unwrap_or_default();
        let view = View {
            sequence,
            id: row.id,
            version: EVENT_VERSION,
            connection_id: row.connection_id,
            time: row.created_at,
            request_id: row.request_id.as_deref(),
            kind: &row.kind,
            data,
        };
        Ok(Self {
            sequence,
            json: serde_json::to_string(&view).map_err(unreadable)?,
            connection_id: row.connection_id,
            kind: row.kind,
        })
    }
}
