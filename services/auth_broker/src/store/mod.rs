//! The table `credentials`, which only this service reads and writes. Secrets are sealed before
//! they are stored.

mod entity;
mod key_check;
mod sealed;

use contracts::CredentialKind;
use local::seal::SealingKey;
use sea_orm::ActiveValue::{Set, Unchanged};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait as _, QueryOrder as _, QuerySelect as _};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use service_kit::ApiError;
use shared::registry::audit::{self, Change};
use shared::registry::{self, Registry};

pub use key_check::KeyError;
pub(crate) use key_check::check as check_key;

use crate::domain::credential::{Credential, Origin};

/// Why the vault failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error("`{id}` was sealed with another SECRET_KEY: restore the auth broker's former key")]
    OtherKey { id: String },
    #[error("credential `{id}` cannot be opened")]
    Sealed {
        id: String,
        #[source]
        source: local::seal::Error,
    },
    #[error("credential `{0}` does not contain a configuration")]
    Content(String),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Registry(error) => error.into(),
            error @ Error::OtherKey { .. } => {
                Self::new(contracts::ErrorCode::SecretKeyChanged, error.to_string())
            }
            error @ (Error::Sealed { .. } | Error::Content(_)) => {
                Self::caused(contracts::ErrorCode::Internal, &error)
            }
        }
    }
}

impl Error {
    fn sealed(id: impl ToString, source: local::seal::Error) -> Self {
        let id = id.to_string();
        match source {
            local::seal::Error::OtherKey { .. } => Self::OtherKey { id },
            source => Self::Sealed { id, source },
        }
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Registry(error.into())
    }
}

/// Stored credentials.
#[derive(Clone)]
pub(crate) struct Vault {
    registry: Registry,
    key: SealingKey,
}

impl Vault {
    pub(crate) fn new(registry: Registry, key: SealingKey) -> Self {
        Self { registry, key }
    }

    pub(crate) async fn list(&self) -> Result<Vec<Credential>, Error> {
        let reader = self.registry.reader().await?;
        let rows = entity::Entity::find()
            .order_by_asc(entity::Column::Id)
            .all(&reader)
            .await?;
        rows.into_iter().map(|row| self.open(row)).collect()
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Option<Credential>, Error> {
        let reader = self.registry.reader().await?;
        let row = entity::Entity::find_by_id(id).one(&reader).await?;
        row.map(|row| self.open(row)).transpose()
    }

    /// Stores a credential; returns whether its id is new.
    pub(crate) async fn put(
        &self,
        mut credential: Credential,
    ) -> Result<(Credential, bool), Error> {
        let at = registry::now();
        let secret = serde_json::to_vec(&credential.secret)
            .map_err(|_| Error::Content(credential.id.clone()))?;
        let config = serde_json::to_string(&credential.config)
            .map_err(|_| Error::Content(credential.id.clone()))?;
        let row = entity::ActiveModel {
            id: Set(credential.id.clone()),
            source_type: Set(credential.source_type.clone()),
            kind: Set("raw".to_owned()),
            sealed: Set(self.key.seal(&secret, &identity(&credential.id))),
            config: Set(config),
            created_at: Set(at),
            updated_at: Set(at),
        };
        let (writer, replaced) = loop {
            let writer = self.registry.writer().await?;
            // Insert first: of several that find no row, one creates it.
            let made = entity::Entity::insert(row.clone())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(&writer)
                .await?;
            if made > 0 {
                break (writer, None);
            }
            // Locked, so that the recorded old value is the one that is replaced.
            let found = entity::Entity::find_by_id(&credential.id).lock_exclusive();
            // None if it was deleted between the two statements: retry.
            if let Some(known) = found.one(&writer).await? {
                let mut row = row.clone();
                row.created_at = Unchanged(known.created_at);
                entity::Entity::update(row).exec(&writer).await?;
                break (writer, Some(known));
            }
        };
        let before = replaced.as_ref().map(|row| self.audited(row));
        let created_at = replaced.as_ref().map_or(at, |row| row.created_at);
        credential.stored = Some((created_at, at));
        let change = Change {
            action: "credential.put",
            target: credential.id.clone(),
            before,
            after: serde_json::to_value(credential.metadata(true)).ok(),
            ..Change::default()
        };
        audit::append(&writer, change).await?;
        writer.commit().await.map_err(registry::Error::from)?;
        Ok((credential, replaced.is_none()))
    }

    /// Deletes a credential; returns whether it existed.
    pub(crate) async fn delete(&self, id: &str) -> Result<bool, Error> {
        let writer = self.registry.writer().await?;
        let Some(row) = entity::Entity::find_by_id(id).one(&writer).await? else {
            return Ok(false);
        };
        let deleted = entity::Entity::delete_by_id(id).exec(&writer).await?;
        if deleted.rows_affected > 0 {
            let change = Change {
                action: "credential.delete",
                target: id.to_owned(),
                before: Some(self.audited(&row)),
                ..Change::default()
            };
            audit::append(&writer, change).await?;
        }
        writer.commit().await.map_err(registry::Error::from)?;
        Ok(deleted.rows_affected > 0)
    }

    /// A row's audit entry, with masked secrets. One that cannot be opened has no members.
    fn audited(&self, row: &entity::Model) -> Value {
        let opened = self.open(row.clone()).ok();
        opened
            .and_then(|credential| serde_json::to_value(credential.metadata(true)).ok())
            .unwrap_or_else(|| json!({"credential_id": row.id, "source_type": row.source_type}))
    }

    fn open(&self, row: entity::Model) -> Result<Credential, Error> {
        let opened = self
            .key
            .open(&row.sealed, &identity(&row.id))
            .map_err(|source| Error::sealed(&row.id, source))?;
        let content = |_| Error::Content(row.id.clone());
        let secret: Map<String, Value> =
            serde_json::from_slice(opened.expose_secret()).map_err(content)?;
        let config = serde_json::from_str(&row.config).map_err(content)?;
        Ok(Credential {
            id: row.id,
            source_type: row.source_type,
            kind: CredentialKind::Raw,
            origin: Origin::Vault,
            secret,
            config,
            stored: Some((row.created_at, row.updated_at)),
        })
    }
}

/// The associated data of a sealed value: its row.
fn identity(id: &str) -> Vec<u8> {
    format!("credentials/{id}").into_bytes()
}
