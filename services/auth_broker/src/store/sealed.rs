//! The table `sealed_requests`: what an operation needs to resume after its process crashed,
//! readable only by this service.

use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use shared::registry;
use uuid::Uuid;

use super::{Error, Vault};

/// What was not requested within a day belongs to an operation that never started.
pub(super) const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(1);

mod entity {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sealed_requests")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) operation_id: Uuid,
        pub(super) sealed: Vec<u8>,
        pub(super) created_at: ChronoDateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl Vault {
    /// Stores a configuration for an operation, replacing a previous one.
    pub(crate) async fn seal(
        &self,
        operation: Uuid,
        configuration: &Map<String, Value>,
    ) -> Result<(), Error> {
        let at = registry::now();
        let content =
            serde_json::to_vec(configuration).map_err(|_| Error::Content(operation.to_string()))?;
        let writer = self.registry.writer().await?;
        entity::Entity::delete_many()
            .filter(
                sea_orm::Condition::any()
                    .add(entity::Column::CreatedAt.lt(at - KEPT))
                    .add(entity::Column::OperationId.eq(operation)),
            )
            .exec(&writer)
            .await?;
        entity::Entity::insert(entity::ActiveModel {
            operation_id: Set(operation),
            sealed: Set(self.key.seal(&content, &identity(operation))),
            created_at: Set(at),
        })
        .exec_without_returning(&writer)
        .await?;
        writer.commit().await.map_err(registry::Error::from)?;
        Ok(())
    }

    /// Returns what is stored for an operation.
    pub(crate) async fn unseal(
        &self,
        operation: Uuid,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let reader = self.registry.reader().await?;
        let row = entity::Entity::find_by_id(operation).one(&reader).await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let opened = self
            .key
            .open(&row.sealed, &identity(operation))
            .map_err(|source| Error::sealed(operation, source))?;
        serde_json::from_slice(opened.expose_secret())
            .map(Some)
            .map_err(|_| Error::Content(operation.to_string()))
    }

    /// Deletes what is stored for an operation.
    pub(crate) async fn forget(&self, operation: Uuid) -> Result<(), Error> {
        let writer = self.registry.writer().await?;
        entity::Entity::delete_by_id(operation)
            .exec(&writer)
            .await?;
        writer.commit().await.map_err(registry::Error::from)?;
        Ok(())
    }
}

fn identity(operation: Uuid) -> Vec<u8> {
    format!("sealed_requests/{operation}").into_bytes()
}
