//! Beginning and ending an onboarding: the connection's row and its operation move together.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use uuid::Uuid;

use super::connections::{self, NewConnection};
use super::entities::connection;
use super::operations::{Lease, New, assert_held, finish};
use super::status::{ConnectionStatus, OperationKind, OperationStatus};
use super::versions::{self, NewVersion};
use super::{Conflict, Error, Registry, now};

impl Registry {
    /// Begins an onboarding: the connection's row and its operation, held by `owner`.
    ///
    /// # Errors
    /// `Conflict::Name` when the name is taken.
    pub async fn onboarding_begin(&self, new: &NewConnection, owner: &str) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        connections::insert(&writer, new, now()).await?;
        let lease = self
            .operation_insert(&writer, operation(new, owner))
            .await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Begins the onboarding of a connection that failed, in its own row and under its own id.
    ///
    /// # Errors
    /// `Conflict::OperationInProgress` when it is no longer FAILED or somebody else is at it.
    pub async fn onboarding_resume(
        &self,
        new: &NewConnection,
        owner: &str,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let updated = connection::Entity::update_many()
            .col_expr(
                connection::Column::Status,
                Expr::value(ConnectionStatus::Pending),
            )
            .col_expr(
                connection::Column::StatusReason,
                Expr::value(Option::<String>::None),
            )
            .col_expr(
                connection::Column::SourceType,
                Expr::value(new.source_type.clone()),
            )
            .col_expr(
                connection::Column::WorkspaceId,
                Expr::value(new.workspace_id),
            )
            .col_expr(
                connection::Column::DestinationId,
                Expr::value(new.destination_id),
            )
            .col_expr(
                connection::Column::CredentialId,
                Expr::value(new.credential_id.clone()),
            )
            .col_expr(
                connection::Column::RequestHash,
                Expr::value(new.request_hash.clone()),
            )
            .col_expr(connection::Column::UpdatedAt, Expr::value(now()))
            .filter(connection::Column::Id.eq(new.id))
            .filter(connection::Column::Status.eq(ConnectionStatus::Failed))
            .filter(connection::Column::CurrentVersion.eq(0))
            .exec(&writer)
            .await?;
        if updated.rows_affected != 1 {
            return Err(Error::Conflict(Conflict::OperationInProgress));
        }
        let lease = self
            .operation_insert(&writer, operation(new, owner))
            .await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Ends an onboarding well: ids, version 1 and ACTIVE in one write.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more.
    pub async fn onboarding_succeed(
        &self,
        lease: &Lease,
        airbyte_source_id: Uuid,
        airbyte_connection_id: Uuid,
        source_catalog_id: Option<Uuid>,
        version: &NewVersion<'_>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        connection::Entity::update_many()
            .col_expr(
                connection::Column::AirbyteSourceId,
                Expr::value(airbyte_source_id),
            )
            .col_expr(
                connection::Column::AirbyteConnectionId,
                Expr::value(airbyte_connection_id),
            )
            .filter(connection::Column::Id.eq(lease.connection_id))
            .exec(&writer)
            .await?;
        versions::transition(
            &writer,
            lease.connection_id,
            0,
            ConnectionStatus::Active,
            source_catalog_id,
            version,
        )
        .await?;
        finish(&writer, lease, OperationStatus::Succeeded, None, None).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Ends an onboarding that was undone: FAILED with the reason.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more.
    pub async fn onboarding_fail(&self, lease: &Lease, reason: &str) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        connection::Entity::update_many()
            .col_expr(
                connection::Column::Status,
                Expr::value(ConnectionStatus::Failed),
            )
            .col_expr(connection::Column::StatusReason, Expr::value(reason))
            .col_expr(
                connection::Column::AirbyteSourceId,
                Expr::value(Option::<Uuid>::None),
            )
            .col_expr(
                connection::Column::AirbyteConnectionId,
                Expr::value(Option::<Uuid>::None),
            )
            .col_expr(connection::Column::UpdatedAt, Expr::value(now()))
            .filter(connection::Column::Id.eq(lease.connection_id))
            .exec(&writer)
            .await?;
        finish(&writer, lease, OperationStatus::Failed, None, Some(reason)).await?;
        writer.commit().await?;
        Ok(())
    }
}

fn operation<'a>(new: &NewConnection, owner: &'a str) -> New<'a> {
    New {
        kind: OperationKind::Onboard,
        connection_id: new.id,
        workspace_id: Some(new.workspace_id),
        request: "{}",
        owner: Some(owner),
    }
}
