//! `installation`: one row, written once by the first service to start.

use sea_orm::{ConnectionTrait as _, Statement};
use uuid::Uuid;

use super::{Error, Registry, now};

impl Registry {
    /// Returns this installation's id; creates it on first use.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached.
    pub async fn installation_id(&self) -> Result<Uuid, Error> {
        let transaction = self.writer().await?;
        let backend = self.backend();
        transaction
            .execute_raw(Statement::from_sql_and_values(
                backend,
                "INSERT INTO installation (id, installation_id, created_at) VALUES (1, $1, $2) \
                 ON CONFLICT (id) DO NOTHING",
                [Uuid::new_v4().into(), now().into()],
            ))
            .await?;
        let row = transaction
            .query_one_raw(Statement::from_string(
                backend,
                "SELECT installation_id FROM installation WHERE id = 1",
            ))
            .await?
            .ok_or_else(|| Error::Document("the installation row disappeared".to_owned()))?;
        let id = row.try_get("", "installation_id")?;
        transaction.commit().await?;
        Ok(id)
    }
}
