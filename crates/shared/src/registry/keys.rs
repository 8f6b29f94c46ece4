//! `api_keys`, written by the orchestrator; `last_used_at` by any service that a key is sent to.
//! Keys are stored as SHA-256: 256 random bits need no slower hash.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::Role;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait as _, DatabaseTransaction,
    DbBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _, sea_query::Expr,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::audit::{self, Change};
use super::entities::api_key::{ActiveModel, Column, Entity, Model};
use super::{Conflict, Error, Registry, now};
use context::caller;

/// Prefix of every key, by which people and secret scanners recognize one.
const SCHEME: &str = "aam_";
/// Number of characters of a key that are stored readable, to distinguish keys.
const PREFIX: usize = SCHEME.len() + 8;
/// Minimum age of `last_used_at` before it is written again.
const USE_RESOLUTION: TimeDelta = TimeDelta::minutes(1);

/// A key to create.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its name; unique among active keys.
    pub name: String,
    /// The role that it grants.
    pub role: Role,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The hash by which a key is found.
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Model {
    /// The role that the key grants. An unknown role, written by a newer version, grants the
    /// permissions that every key has.
    pub fn granted(&self) -> Role {
        [Role::Admin, Role::Operator]
            .into_iter()
            .find(|role| role.as_str() == self.role)
            .unwrap_or(Role::Viewer)
    }

    fn audited(&self) -> Value {
        json!({
            "name": self.name,
            "role": self.role,
            "prefix": self.prefix,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
        })
    }
}

impl Registry {
    /// Creates a key and returns it with its row; it can never be read again.
    ///
    /// # Errors
    /// Returns `Conflict::KeyName` if an active key already has this name.
    pub async fn key_create(&self, new: NewKey) -> Result<(Model, SecretString), Error> {
        let key = generate();
        let writer = self.writer().await?;
        one_at_a_time(&writer).await?;
        let taken = Entity::find()
            .filter(Column::Name.eq(new.name.as_str()))
            .filter(Column::RevokedAt.is_null())
            .one(&writer)
            .await?;
        if taken.is_some() {
            return Err(Error::Conflict(Conflict::KeyName));
        }
        let row = Entity::insert(ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(new.name),
            role: Set(new.role.as_str().to_owned()),
            prefix: Set(key.expose_secret()[..PREFIX].to_owned()),
            hash: Set(hex::encode(digest(key.expose_secret()))),
            created_by: Set(caller::current().name),
            created_at: Set(now()),
            expires_at: Set(new.expires_at),
            last_used_at: Set(None),
            revoked_at: Set(None),
        })
        .exec_with_returning(&writer)
        .await?;
        let change = Change {
            action: "key.create",
            target: row.id.to_string(),
            after: Some(row.audited()),
            ..Change::default()
        };
        audit::append(&writer, change).await?;
        writer.commit().await?;
        Ok((row, key))
    }

    /// Lists all keys, including revoked ones, oldest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn key_list(&self) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find().order_by_asc(Column::Id).all(&reader).await?)
    }

    /// Lists all keys that are not revoked, including expired ones.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn key_list_unrevoked(&self) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::RevokedAt.is_null())
            .all(&reader)
            .await?)
    }

    /// Revokes a key; a revoked one is left unchanged. Returns whether the key exists.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn key_revoke(&self, id: Uuid) -> Result<bool, Error> {
        let writer = self.writer().await?;
        let Some(before) = Entity::find_by_id(id).one(&writer).await? else {
            return Ok(false);
        };
        let at = now();
        let revoked = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(at))
            .filter(Column::Id.eq(id))
            .filter(Column::RevokedAt.is_null())
            .exec(&writer)
            .await?;
        if revoked.rows_affected == 1 {
            let after = Model {
                revoked_at: Some(at),
                ..before.clone()
            };
            let change = Change {
                action: "key.revoke",
                target: id.to_string(),
                before: Some(before.audited()),
                after: Some(after.audited()),
                ..Change::default()
            };
            audit::append(&writer, change).await?;
        }
        writer.commit().await?;
        Ok(true)
    }

    /// Records the use of a key, unless one was recorded within the last minute.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn key_used(&self, id: Uuid, at: DateTime<Utc>) -> Result<(), Error> {
        let writer = self.writer().await?;
        Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(at))
            .filter(Column::Id.eq(id))
            .filter(
                Condition::any()
                    .add(Column::LastUsedAt.is_null())
                    .add(Column::LastUsedAt.lt(at - USE_RESOLUTION)),
            )
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }
}

/// Serializes the creation of two keys with the same name: the second waits and finds the first.
/// SQLite has one writer anyway.
async fn one_at_a_time(writer: &DatabaseTransaction) -> Result<(), Error> {
    if writer.get_database_backend() == DbBackend::Postgres {
        writer
            .execute_unprepared("SELECT pg_advisory_xact_lock(hashtext('aam.api_keys'))")
            .await?;
    }
    Ok(())
}

fn generate() -> SecretString {
    let mut bytes = [0_u8; 32];
    local::random::fill(&mut bytes);
    format!("{SCHEME}{}", hex::encode(bytes)).into()
}
