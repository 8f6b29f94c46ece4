//! Completing a repair: the next version, the end of the operation, the follow-up sync and the
//! event, in one write.

use contracts::{Event, SyncRequest};
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, sea_query::Expr,
};
use uuid::Uuid;

use super::entities::operation::{Column, Entity};
use super::operations::{Ending, Lease, NewOperation, assert_held, finish};
use super::status::{ConnectionStatus, OperationKind, OperationStatus};
use super::versions::{self, NewVersion};
use super::{Error, Registry, audit, now, outbox};

impl Registry {
    /// Completes a repair or a rollback. `event_of` creates the event from the new version's number.
    /// Returns that number and the sync's operation.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held, or `Conflict::Version` if the
    /// connection is not at `expected`.
    pub async fn repair_succeed(
        &self,
        lease: &Lease,
        expected: i32,
        source_catalog_id: Option<Uuid>,
        version: &NewVersion<'_>,
        sync_request: Option<&SyncRequest>,
        event_of: &(dyn Fn(i32) -> Event + Sync),
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
        let event = event_of(number);
        outbox::append(&writer, Some(lease.connection_id), &event).await?;
        let change = audit::Change {
            action: event.name(),
            target: lease.connection_id.to_string(),
            connection_id: Some(lease.connection_id),
            before: Some(serde_json::json!({"catalog_version": expected})),
            after: Some(serde_json::json!({"catalog_version": number})),
        };
        audit::append(&writer, change).await?;
        let result = serde_json::json!({"version": number}).to_string();
        finish(&writer, lease, Ending::succeeded(Some(&result))).await?;
        writer.commit().await?;
        Ok((number, sync))
    }

    /// Leaves a sync for the orchestrator to start. Replaces one that is still waiting and takes
    /// over the streams that it was to refresh.
    async fn request_sync(
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
        let mut new = NewOperation::started(OperationKind::Sync, connection_id, &text, "");
        new.owner = None;
        Ok(self.operation_insert(writer, new).await?.operation_id)
    }
}
