//! `drift_events`, written by the drift-repair agent.

use contracts::Event;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};
use uuid::Uuid;

use super::entities::drift_event::{ActiveModel, Column, Entity, Model};
use super::{Error, Registry, now, outbox};

impl Registry {
    /// Records a plan with its outcome, and publishes the event; the same plan with the same
    /// outcome twice in a row is recorded once.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn drift_record(
        &self,
        connection_id: Uuid,
        version: i32,
        plan_hash: &str,
        outcome: &str,
        plan: &str,
        events: &[Event],
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        let latest = Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .order_by_desc(Column::Id)
            .one(&writer)
            .await?;
        if latest.is_some_and(|event| event.plan_hash == plan_hash && event.outcome == outcome) {
            return Ok(());
        }
        Entity::insert(ActiveModel {
            id: Set(Uuid::now_v7()),
            connection_id: Set(connection_id),
            version_number: Set(version),
            plan_hash: Set(plan_hash.to_owned()),
            outcome: Set(outcome.to_owned()),
            plan: Set(plan.to_owned()),
            created_at: Set(now()),
        })
        .exec_without_returning(&writer)
        .await?;
        for event in events {
            outbox::append(&writer, Some(connection_id), event).await?;
        }
        writer.commit().await?;
        Ok(())
    }

    /// Returns a connection's drift events, newest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn drift_list(&self, connection_id: Uuid) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::ConnectionId.eq(connection_id))
            .order_by_desc(Column::Id)
            .all(&reader)
            .await?)
    }
}
