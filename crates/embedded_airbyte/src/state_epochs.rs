//! Epochs of states: what a destination has committed is gone on from only as long as nothing but
//! syncs has changed the state since.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set,
    sea_query::OnConflict,
};
use uuid::Uuid;

use crate::fault::Fault;
use crate::store::entities::state_epoch;

/// The key of all states of a connection.
const ALL: &str = "*";
/// The key of states that are about all streams together.
const WHOLE: &str = "";
/// The key of legacy states, which cannot be split by stream.
const LEGACY: &str = "legacy";

/// The epochs of a connection's states.
#[derive(Debug, Default)]
pub(crate) struct Epochs(HashMap<String, String>);

impl Epochs {
    /// Reads them.
    pub(crate) async fn of<C: ConnectionTrait>(db: &C, connection: Uuid) -> Result<Self, Fault> {
        let rows = state_epoch::Entity::find()
            .filter(state_epoch::Column::ConnectionId.eq(connection))
            .all(db)
            .await?;
        let pairs = rows.into_iter().map(|row| (row.stream, row.epoch));
        Ok(Self(pairs.collect()))
    }

    /// The epoch of a stream's state, by its key.
    pub(crate) fn stream(&self, key: &str) -> String {
        let part = |key| self.0.get(key).map_or("", String::as_str);
        format!("{}/{}", part(ALL), part(key))
    }

    /// The epoch of a state that is about all streams together.
    pub(crate) fn whole(&self) -> String {
        self.stream(WHOLE)
    }

    /// The epoch of a legacy state.
    pub(crate) fn legacy(&self) -> String {
        self.stream(LEGACY)
    }
}

/// Begins a new epoch of a stream's state, by its key.
pub(crate) async fn renew(
    transaction: &DatabaseTransaction,
    connection: Uuid,
    key: &str,
) -> Result<(), Fault> {
    state_epoch::Entity::insert(state_epoch::ActiveModel {
        connection_id: Set(connection),
        stream: Set(key.to_owned()),
        epoch: Set(Uuid::new_v4().simple().to_string()),
    })
    .on_conflict(
        OnConflict::columns([
            state_epoch::Column::ConnectionId,
            state_epoch::Column::Stream,
        ])
        .update_column(state_epoch::Column::Epoch)
        .to_owned(),
    )
    .exec(transaction)
    .await?;
    Ok(())
}

/// Begins a new epoch of a state that is about all streams together, of either kind.
pub(crate) async fn renew_whole(
    transaction: &DatabaseTransaction,
    connection: Uuid,
) -> Result<(), Fault> {
    renew(transaction, connection, WHOLE).await?;
    renew_legacy(transaction, connection).await
}

/// Begins a new epoch of a legacy state.
pub(crate) async fn renew_legacy(
    transaction: &DatabaseTransaction,
    connection: Uuid,
) -> Result<(), Fault> {
    renew(transaction, connection, LEGACY).await
}

/// Begins a new epoch of all states of a connection.
pub(crate) async fn renew_all(
    transaction: &DatabaseTransaction,
    connection: Uuid,
) -> Result<(), Fault> {
    renew(transaction, connection, ALL).await
}
