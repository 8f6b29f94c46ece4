//! Whether SECRET_KEY is the key that the vault was sealed with. Every sealed value names its key, so
//! nothing has to be opened to find that out.

use local::seal::SealingKey;
use sea_orm::{ConnectionTrait as _, Statement};
use shared::registry::{self, Registry};

use super::Vault;

/// Why the vault is not whole.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database could not be asked.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// There is more under another key.
    #[error(
        "{rows} stored secrets were sealed with another SECRET_KEY, `{first}` among them: give the auth broker the former key back; where it is lost, `aam credentials rm` what it sealed"
    )]
    Changed {
        /// How many.
        rows: i64,
        /// One of them.
        first: String,
    },
}

impl Vault {
    /// Finds what was sealed with another key.
    pub(crate) async fn check_key(&self) -> Result<(), KeyError> {
        check(&self.registry, &self.key).await
    }
}

/// Finds what was sealed with another key than `key`.
pub(crate) async fn check(registry: &Registry, key: &SealingKey) -> Result<(), KeyError> {
    let reader = registry.reader().await?;
    let row = reader
        .query_one_raw(Statement::from_sql_and_values(
            registry.backend(),
            // What a past operation left behind matters to nobody after a day.
            "SELECT COUNT(*) AS found, MIN(id) AS first FROM \
             (SELECT id, sealed FROM credentials UNION ALL \
              SELECT 'a request under way', sealed FROM sealed_requests WHERE created_at > $2) AS kept \
             WHERE SUBSTR(sealed, 2, 4) <> $1",
            [
                key.id().to_vec().into(),
                (registry::now() - super::sealed::KEPT).into(),
            ],
        ))
        .await
        .map_err(registry::Error::from)?;
    let Some(row) = row else {
        return Ok(());
    };
    let rows: i64 = row.try_get("", "found").map_err(registry::Error::from)?;
    if rows == 0 {
        return Ok(());
    }
    let first = row.try_get("", "first").map_err(registry::Error::from)?;
    Err(KeyError::Changed { rows, first })
}
