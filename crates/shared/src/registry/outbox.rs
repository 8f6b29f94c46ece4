//! `outbox`: every state change as an event, written in the transaction that makes the change.
//!
//! An event gets its sequence number from the relay after its commit: ids are assigned earlier, so
//! transactions that commit out of order would hide events from listeners that read by id.

use contracts::Event;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait as _};
use uuid::Uuid;

use super::entities::outbox;
use super::{Error, now};
use context::request_id;

/// Appends an event within the transaction of the change.
///
/// # Errors
/// Returns an error if the database fails.
pub async fn append(
    writer: &DatabaseTransaction,
    connection_id: Option<Uuid>,
    event: &Event,
) -> Result<(), Error> {
    let written = serde_json::to_value(event).map_err(|e| Error::Document(e.to_string()))?;
    outbox::Entity::insert(outbox::ActiveModel {
        id: Set(Uuid::now_v7()),
        sequence: Set(None),
        kind: Set(event.name().to_owned()),
        connection_id: Set(connection_id),
        data: Set(written["data"].to_string()),
        request_id: Set(request_id::current()),
        created_at: Set(now()),
    })
    .exec_without_returning(writer)
    .await?;
    Ok(())
}
