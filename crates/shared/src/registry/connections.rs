//! `connections`, written by the orchestrator; `HEALING ↔ ACTIVE` and versions by [`super::versions`].

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select, TransactionTrait as _, UpdateMany,
    sea_query::{Expr, ExprTrait as _},
};
use uuid::Uuid;

use super::entities::connection::{ActiveModel, Column, Entity, Model};
use super::status::ConnectionStatus;
use super::{Conflict, Error, Registry, now};

/// A connection to create.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique in the registry.
    pub name: String,
    /// The source's type, as Airbyte's definition is named.
    pub source_type: String,
    /// Base URL of the Airbyte that it is created on.
    pub airbyte_instance: String,
    /// The Airbyte workspace.
    pub workspace_id: Uuid,
    /// The Airbyte destination.
    pub destination_id: Uuid,
    /// The existing source; if absent, one is created for this connection only.
    pub source_id: Option<Uuid>,
    /// The credential its source uses.
    pub credential_id: Option<String>,
    /// Its drift policy.
    pub drift_policy: String,
    /// Its schedule, a JSON document.
    pub schedule: String,
    /// Identifies the request, to detect whether a repeated onboarding requests the same.
    pub request_hash: String,
}

/// Filters the list of connections.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFilter {
    /// Only this status.
    pub status: Option<ConnectionStatus>,
    /// Only this source type, compared without regard to case.
    pub source_type: Option<String>,
    /// Only this name.
    pub name: Option<String>,
}

impl ConnectionFilter {
    fn select(&self) -> Select<Entity> {
        let mut query = Entity::find();
        if let Some(status) = self.status {
            query = query.filter(Column::Status.eq(status));
        }
        if let Some(source_type) = &self.source_type {
            let lower = Expr::expr(sea_orm::sea_query::Func::lower(Expr::col(
                Column::SourceType,
            )));
            query = query.filter(sea_orm::sea_query::ExprTrait::eq(
                lower,
                source_type.to_lowercase(),
            ));
        }
        if let Some(name) = &self.name {
            query = query.filter(Column::Name.eq(name.as_str()));
        }
        query
    }
}

impl Registry {
    /// Returns a connection.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn connection_get(&self, id: Uuid) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find_by_id(id).one(&reader).await?)
    }

    /// Returns the connection with that name.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn connection_by_name(&self, name: &str) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::Name.eq(name))
            .one(&reader)
            .await?)
    }

    /// Returns the number of matching connections.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn connection_count(&self, filter: &ConnectionFilter) -> Result<u64, Error> {
        let reader = self.reader().await?;
        Ok(filter.select().count(&reader).await?)
    }

    /// Returns at most `limit` connections after the one with id `after`, oldest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn connection_page(
        &self,
        filter: &ConnectionFilter,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Model>, Error> {
        let mut query = filter.select().order_by_asc(Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        let reader = self.reader().await?;
        Ok(query.all(&reader).await?)
    }
}

/// An update that is visible to callers: it changes revision and time of the rows too.
pub(super) fn touched(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(now()))
}

/// Inserts the row of a new onboarding, within its transaction.
///
/// # Errors
/// Returns `Conflict::Name` if the name is taken.
pub(super) async fn insert(
    writer: &sea_orm::DatabaseTransaction,
    new: &NewConnection,
    at: DateTime<Utc>,
) -> Result<Model, Error> {
    let row = ActiveModel {
        id: Set(new.id),
        name: Set(new.name.clone()),
        source_type: Set(new.source_type.clone()),
        airbyte_source_id: Set(new.source_id),
        airbyte_connection_id: Set(None),
        status: Set(ConnectionStatus::Pending),
        status_reason: Set(None),
        airbyte_instance: Set(new.airbyte_instance.clone()),
        workspace_id: Set(Some(new.workspace_id)),
        destination_id: Set(Some(new.destination_id)),
        source_catalog_id: Set(None),
        credential_id: Set(new.credential_id.clone()),
        drift_policy: Set(new.drift_policy.clone()),
        schedule: Set(new.schedule.clone()),
        request_hash: Set(new.request_hash.clone()),
        current_version: Set(0),
        revision: Set(0),
        last_synced_at: Set(None),
        owns_source: Set(new.source_id.is_none()),
        created_at: Set(at),
        updated_at: Set(at),
    };
    // A savepoint keeps the transaction usable on PostgreSQL after a failed insert.
    let savepoint = writer.begin().await?;
    match Entity::insert(row).exec_with_returning(&savepoint).await {
        Ok(model) => {
            savepoint.commit().await?;
            Ok(model)
        }
        Err(error) if is_unique_violation(&error) => {
            savepoint.rollback().await?;
            Err(Error::Conflict(Conflict::Name))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a unique index rejected the write.
pub(super) fn is_unique_violation(error: &sea_orm::DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_))
    )
}
