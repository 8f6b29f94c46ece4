//! `sync_catalog_versions` and the only function that moves a connection from one version to the
//! next.

use chrono::{DateTime, Utc};
use contracts::Event;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, DbBackend, EntityTrait as _,
    QueryFilter as _, Statement, sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use super::connections::touched;
use super::entities::connection;
use super::operations::Lease;
use super::status::ConnectionStatus;
use super::{Conflict, Error, Registry, audit, now, outbox};

/// The origin of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The first one.
    Onboarding,
    /// A repair.
    Repair,
    /// A rollback to an earlier version.
    Rollback,
    /// A change to the connection in Airbyte itself.
    External,
}

impl Origin {
    /// The spelling in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Onboarding => "onboarding",
            Self::Repair => "repair",
            Self::Rollback => "rollback",
            Self::External => "external",
        }
    }
}

/// A catalog to store.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// Its origin.
    pub origin: Origin,
    /// Its fingerprint.
    pub fingerprint: &'a str,
    /// The catalog in the Config API's notation, with the document's member order.
    pub document: &'a str,
}

/// A stored version without its catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// Its number, from 1.
    pub number: i32,
    /// Its origin.
    pub origin: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// A stored version.
#[derive(Debug, Clone)]
pub struct Version {
    /// Everything but the catalog.
    pub summary: VersionSummary,
    /// The catalog in the Config API's notation, with the document's member order.
    pub document: String,
}

impl Registry {
    /// Returns the versions of a connection, newest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn version_list(&self, connection_id: Uuid) -> Result<Vec<VersionSummary>, Error> {
        let reader = self.reader().await?;
        let rows = reader
            .query_all_raw(Statement::from_sql_and_values(
                self.backend(),
                "SELECT version_number, origin, fingerprint, created_at \
                 FROM sync_catalog_versions WHERE connection_id = $1 ORDER BY version_number DESC",
                [connection_id.into()],
            ))
            .await?;
        rows.iter().map(|row| Ok(summary(row)?)).collect()
    }

    /// Returns a version of a connection.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn version_get(
        &self,
        connection_id: Uuid,
        number: i32,
    ) -> Result<Option<Version>, Error> {
        let reader = self.reader().await?;
        let row = reader
            .query_one_raw(Statement::from_sql_and_values(
                self.backend(),
                "SELECT version_number, origin, fingerprint, created_at, document \
                 FROM sync_catalog_versions WHERE connection_id = $1 AND version_number = $2",
                [connection_id.into(), number.into()],
            ))
            .await?;
        row.map(|row| {
            Ok(Version {
                summary: summary(&row)?,
                document: row.try_get("", "document")?,
            })
        })
        .transpose()
    }

    /// Stores the next version of a connection. Requires its operation's lease.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held, or `Conflict::Version` if the
    /// connection is not at `expected`.
    pub async fn version_commit(
        &self,
        lease: &Lease,
        expected: i32,
        status: ConnectionStatus,
        source_catalog_id: Option<Uuid>,
        version: &NewVersion<'_>,
    ) -> Result<i32, Error> {
        let writer = self.writer().await?;
        super::operations::assert_held(&writer, lease).await?;
        let number = transition(
            &writer,
            lease.connection_id,
            expected,
            status,
            source_catalog_id,
            version,
        )
        .await?;
        writer.commit().await?;
        Ok(number)
    }

    /// Changes a connection's status without a new version, and publishes the event. Requires its
    /// operation's lease.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn connection_set_status(
        &self,
        lease: &Lease,
        status: ConnectionStatus,
        reason: Option<&str>,
        source_catalog_id: Option<Uuid>,
        event: Option<&Event>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        super::operations::assert_held(&writer, lease).await?;
        let mut update = touched(connection::Entity::update_many())
            .col_expr(connection::Column::Status, Expr::value(status))
            .col_expr(
                connection::Column::StatusReason,
                Expr::value(reason.map(str::to_owned)),
            )
            .filter(connection::Column::Id.eq(lease.connection_id));
        if let Some(catalog_id) = source_catalog_id {
            update = update.col_expr(connection::Column::SourceCatalogId, Expr::value(catalog_id));
        }
        update.exec(&writer).await?;
        if let Some(event) = event {
            outbox::append(&writer, Some(lease.connection_id), event).await?;
            let change = audit::Change {
                action: event.name(),
                target: lease.connection_id.to_string(),
                connection_id: Some(lease.connection_id),
                before: None,
                after: Some(json!({"status": status.as_str(), "status_reason": reason})),
            };
            audit::append(&writer, change).await?;
        }
        writer.commit().await?;
        Ok(())
    }
}

/// The only way from one version to the next: numbers never collide and never skip, because the
/// counter on the connection's row moves in the same transaction, from the number that the caller
/// saw.
pub(super) async fn transition(
    writer: &DatabaseTransaction,
    connection_id: Uuid,
    expected: i32,
    status: ConnectionStatus,
    source_catalog_id: Option<Uuid>,
    version: &NewVersion<'_>,
) -> Result<i32, Error> {
    let at = now();
    let number = expected + 1;
    let mut update = touched(connection::Entity::update_many())
        .col_expr(connection::Column::CurrentVersion, Expr::value(number))
        .col_expr(connection::Column::Status, Expr::value(status))
        .col_expr(
            connection::Column::StatusReason,
            Expr::value(Option::<String>::None),
        )
        .filter(connection::Column::Id.eq(connection_id))
        .filter(connection::Column::CurrentVersion.eq(expected));
    if let Some(catalog_id) = source_catalog_id {
        update = update.col_expr(connection::Column::SourceCatalogId, Expr::value(catalog_id));
    }
    if update.exec(writer).await?.rows_affected != 1 {
        return Err(Error::Conflict(Conflict::Version));
    }
    let backend = writer.get_database_backend();
    // The text is inserted as is: a catalog of many megabytes is never parsed into a tree of values
    // here.
    let catalog = if backend == DbBackend::Postgres {
        "$3::jsonb"
    } else {
        "$3"
    };
    writer
        .execute_raw(Statement::from_sql_and_values(
            backend,
            format!(
                "INSERT INTO sync_catalog_versions \
                 (id, connection_id, sync_catalog, version_number, origin, fingerprint, document, created_at) \
                 VALUES ($1, $2, {catalog}, $4, $5, $6, $7, $8)"
            ),
            [
                Uuid::now_v7().into(),
                connection_id.into(),
                version.document.into(),
                number.into(),
                version.origin.as_str().into(),
                version.fingerprint.into(),
                version.document.into(),
                at.into(),
            ],
        ))
        .await?;
    Ok(number)
}

fn summary(row: &sea_orm::QueryResult) -> Result<VersionSummary, sea_orm::DbErr> {
    Ok(VersionSummary {
        number: row.try_get("", "version_number")?,
        origin: row.try_get("", "origin")?,
        fingerprint: row.try_get("", "fingerprint")?,
        created_at: row.try_get("", "created_at")?,
    })
}
