//! Starting and completing an onboarding: the connection's row, its operation, the event and the
//! audit entry change together.

use chrono::{DateTime, Utc};
use contracts::Event;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use uuid::Uuid;

use super::connections::{self, NewConnection, touched};
use super::entities::connection::{Column, Entity, Model};
use super::operations::{Ending, Lease, NewOperation, assert_held, finish};
use super::status::ConnectionStatus;
use super::versions::{self, NewVersion};
use super::{Conflict, Error, Registry, actors, audit, now, outbox};

/// The objects that an onboarding created in Airbyte.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// The source.
    pub source_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// The discovered catalog to record as accepted.
    pub source_catalog_id: Option<Uuid>,
    /// ACTIVE, or INACTIVE if requested.
    pub status: ConnectionStatus,
}

impl Registry {
    /// Starts an onboarding: inserts the connection's row and its operation.
    ///
    /// # Errors
    /// Returns `Conflict::Name` if the name is taken.
    pub async fn onboarding_begin(
        &self,
        new: &NewConnection,
        operation: NewOperation<'_>,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        actors::begin_to_use(&writer, new).await?;
        connections::insert(&writer, new, now()).await?;
        let lease = self.operation_insert(&writer, operation).await?;
        audit::append(&writer, change("connection.onboard", new)).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Restarts the onboarding of a failed connection, with the same row and id.
    ///
    /// # Errors
    /// Returns `Conflict::OperationInProgress` if it is no longer FAILED or another operation is
    /// open.
    pub async fn onboarding_resume(
        &self,
        new: &NewConnection,
        operation: NewOperation<'_>,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        actors::begin_to_use(&writer, new).await?;
        let updated = touched(Entity::update_many())
            .col_expr(Column::Status, Expr::value(ConnectionStatus::Pending))
            .col_expr(Column::StatusReason, Expr::value(Option::<String>::None))
            .col_expr(Column::SourceType, Expr::value(new.source_type.clone()))
            .col_expr(Column::WorkspaceId, Expr::value(new.workspace_id))
            .col_expr(Column::DestinationId, Expr::value(new.destination_id))
            .col_expr(Column::AirbyteSourceId, Expr::value(new.source_id))
            .col_expr(Column::OwnsSource, Expr::value(new.source_id.is_none()))
            .col_expr(Column::CredentialId, Expr::value(new.credential_id.clone()))
            .col_expr(Column::DriftPolicy, Expr::value(new.drift_policy.clone()))
            .col_expr(Column::Schedule, Expr::value(new.schedule.clone()))
            .col_expr(Column::RequestHash, Expr::value(new.request_hash.clone()))
            .filter(Column::Id.eq(new.id))
            .filter(Column::Status.eq(ConnectionStatus::Failed))
            .filter(Column::CurrentVersion.eq(0))
            .exec(&writer)
            .await?;
        if updated.rows_affected != 1 {
            return Err(Error::Conflict(Conflict::OperationInProgress));
        }
        let lease = self.operation_insert(&writer, operation).await?;
        audit::append(&writer, change("connection.onboard_again", new)).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Completes an onboarding: ids, version 1, status and the event in one write.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn onboarding_succeed(
        &self,
        lease: &Lease,
        row: &Model,
        made: Made,
        version: &NewVersion<'_>,
        settle_until: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        Entity::update_many()
            .col_expr(Column::AirbyteSourceId, Expr::value(made.source_id))
            .col_expr(Column::AirbyteConnectionId, Expr::value(made.connection_id))
            .filter(Column::Id.eq(lease.connection_id))
            .exec(&writer)
            .await?;
        versions::transition(
            &writer,
            lease.connection_id,
            0,
            made.status,
            made.source_catalog_id,
            version,
        )
        .await?;
        let event = Event::ConnectionOnboarded {
            name: row.name.clone(),
            source_type: row.source_type.clone(),
            airbyte_connection_id: made.connection_id,
        };
        outbox::append(&writer, Some(row.id), &event).await?;
        let result = serde_json::json!({"connection_id": row.id, "version": 1}).to_string();
        let ending = Ending::succeeded(Some(&result)).settling(settle_until);
        finish(&writer, lease, ending).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Ends a rolled-back onboarding: FAILED with the reason.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn onboarding_fail(
        &self,
        lease: &Lease,
        reason: &str,
        settle_until: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        touched(Entity::update_many())
            .col_expr(Column::Status, Expr::value(ConnectionStatus::Failed))
            .col_expr(Column::StatusReason, Expr::value(reason))
            .col_expr(Column::AirbyteSourceId, Expr::value(Option::<Uuid>::None))
            .col_expr(
                Column::AirbyteConnectionId,
                Expr::value(Option::<Uuid>::None),
            )
            .filter(Column::Id.eq(lease.connection_id))
            .exec(&writer)
            .await?;
        let event = Event::ConnectionFailed {
            reason: reason.to_owned(),
        };
        outbox::append(&writer, Some(lease.connection_id), &event).await?;
        let ending = Ending::failed(reason).settling(settle_until);
        finish(&writer, lease, ending).await?;
        writer.commit().await?;
        Ok(())
    }
}

fn change(action: &'static str, new: &NewConnection) -> audit::Change {
    audit::Change {
        action,
        target: new.id.to_string(),
        connection_id: Some(new.id),
        before: None,
        after: Some(serde_json::json!({
            "name": new.name,
            "source_type": new.source_type,
            "workspace_id": new.workspace_id,
            "destination_id": new.destination_id,
            "credential_id": new.credential_id,
            "drift_policy": contracts::DriftPolicy::from_stored(&new.drift_policy),
        })),
    }
}
