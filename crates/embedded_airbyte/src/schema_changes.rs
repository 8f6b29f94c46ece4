//! Changes of a source's schema as its connections meet them: judged by Airbyte's rules, perhaps
//! switching a connection off, perhaps taken over.

use airbyte_protocol::{StreamDescriptor, SyncMode};
use catalog::diff::{self, CatalogDiff, FieldTransformType};
use catalog::propagate::{self, Preference};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, Set, prelude::*,
};
use uuid::Uuid;

use crate::connections::{ConnectionChange, find, update_in};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::jobs::stream_key;
use crate::notation::SyncCatalog;
use crate::options::ConnectorKind;
use crate::state_epochs;
use crate::store::entities::{connection, connection_state, discovered_catalog};
use crate::time::now_ms;

/// What a new catalog means for a connection.
pub(crate) struct Noticed {
    /// The connection, flag and status written.
    pub(crate) row: connection::Model,
    /// From the accepted catalog to the new one.
    pub(crate) diff: CatalogDiff,
}

impl Engine {
    /// Writes whether a new catalog breaks a connection, and switches the connection off if so or
    /// if it is wished.
    pub(crate) async fn schema_notice(
        &self,
        connection: Uuid,
        catalog: Uuid,
    ) -> Result<Noticed, Fault> {
        let transaction = self.store.write().await?;
        let new = parsed(&load(&transaction, catalog).await?)?;
        let noticed = notice(&transaction, connection, &new).await?;
        transaction.commit().await?;
        Ok(noticed)
    }

    /// Like [`Engine::schema_notice`], and takes over what the connection wants taken over.
    /// Answers what was. `given` is the new catalog where the caller has it.
    pub(crate) async fn schema_apply(
        &self,
        connection: Uuid,
        catalog: Uuid,
        given: Option<&str>,
    ) -> Result<CatalogDiff, Fault> {
        let row = self.connection(connection).await?;
        let modes = self.destination_modes(row.destination_id).await?;
        let transaction = self.store.write().await?;
        let stored_text = load(&transaction, catalog).await?;
        let new = parsed(given.unwrap_or(&stored_text))?;
        let Noticed { row, diff } = notice(&transaction, connection, &new).await?;
        let wish = preference(&row);
        let configured = parsed(&row.sync_catalog)?;
        let Some(done) = propagate::propagate(&configured, &new, &diff, wish, &modes) else {
            transaction.commit().await?;
            return Ok(CatalogDiff::default());
        };
        let mut change = ConnectionChange {
            source_catalog_id: Some(catalog),
            ..ConnectionChange::default()
        };
        if !done.applied.is_empty() {
            let text = done.catalog.to_config_api();
            let taken: SyncCatalog = stored("catalog", &text)?;
            change.catalog = Some(taken);
        }
        update_in(&transaction, connection, change).await?;
        transaction.commit().await?;
        Ok(done.applied)
    }

    /// The step before a sync: a recently discovered catalog is judged and applied.
    pub(crate) async fn schema_before_sync(&self, connection: Uuid) -> Result<BeforeSync, Fault> {
        let row = self.connection(connection).await?;
        let latest = self.latest_catalog(row.source_id).await?;
        let window = i64::try_from(self.timing.discover_window.as_millis()).unwrap_or(i64::MAX);
        let recent = latest
            .filter(|latest| latest.fetched_at > self.clock.now_ms().saturating_sub(window))
            .map(|latest| latest.id);
        let catalog = match recent {
            Some(id) => id,
            None => {
                let found = self.discover(row.source_id, true).await?;
                match found.catalog {
                    Some((id, _)) => id,
                    None => {
                        let failure = found.job.failure;
                        let why = failure.map_or_else(String::new, |why| why.external_message);
                        return Ok(BeforeSync::NotKnown(why));
                    }
                }
            }
        };
        // Nothing can differ from what was accepted, and large catalogs are costly to compare.
        if row.source_catalog_id == Some(catalog) && !row.breaking_change && row.status == "active"
        {
            return Ok(BeforeSync::Go);
        }
        let applied = self.schema_apply(connection, catalog, None).await?;
        let row = self.connection(connection).await?;
        if row.status != "active" {
            return Ok(BeforeSync::SwitchedOff);
        }
        if row.backfill_preference == "enabled" && !applied.is_empty() {
            self.schema_backfill(&row, &applied).await?;
        }
        Ok(BeforeSync::Go)
    }

    /// Forgets the saved state of incremental streams that got or changed columns, so that they
    /// are read from their beginning. A global state is not taken apart.
    async fn schema_backfill(
        &self,
        row: &connection::Model,
        applied: &CatalogDiff,
    ) -> Result<(), Fault> {
        let configured = row.catalog()?;
        let transaction = self.store.write().await?;
        for transform in &applied.transforms {
            let fields = transform.update_stream.iter();
            let mut fields = fields.flat_map(|update| &update.field_transforms);
            let grown = fields.any(|field| {
                use FieldTransformType::{AddField, UpdateFieldSchema};
                matches!(field.transform_type, AddField | UpdateFieldSchema)
            });
            let stream: &StreamDescriptor = &transform.stream_descriptor;
            let incremental = configured.streams.iter().any(|entry| {
                entry.stream.descriptor() == *stream
                    && entry.config.sync_mode == SyncMode::Incremental
            });
            if grown && incremental {
                let key = stream_key(stream);
                state_epochs::renew(&transaction, row.id, &key).await?;
                connection_state::Entity::delete_by_id((row.id, key))
                    .exec(&transaction)
                    .await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The write modes that connections to a destination may choose.
    pub(crate) async fn destination_modes(
        &self,
        destination: Uuid,
    ) -> Result<Vec<airbyte_protocol::DestinationSyncMode>, Fault> {
        let row = self.actor(ConnectorKind::Destination, destination).await?;
        let definition = self
            .definitions
            .get(ConnectorKind::Destination, row.definition_id)?;
        let spec = self.spec(&definition).await?;
        Ok(spec.destination_modes(definition.supports_refreshes))
    }

    /// The catalog that was fetched last from a source.
    pub(crate) async fn latest_catalog(
        &self,
        source: Uuid,
    ) -> Result<Option<discovered_catalog::Model>, Fault> {
        Ok(discovered_catalog::Entity::find()
            .filter(discovered_catalog::Column::ActorId.eq(source))
            .order_by_desc(discovered_catalog::Column::Fetch)
            .one(self.store.read())
            .await?)
    }

    /// The text of a discovered catalog.
    pub(crate) async fn catalog_text(&self, id: Uuid) -> Result<String, Fault> {
        load(self.store.read(), id).await
    }
}

/// What the step before a sync came to.
pub(crate) enum BeforeSync {
    /// The sync continues.
    Go,
    /// The connection is no longer active: its sync ends as cancelled.
    SwitchedOff,
    /// Discover failed, for this reason.
    NotKnown(String),
}

async fn load<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<String, Fault> {
    let row = discovered_catalog::Entity::find_by_id(id).one(db).await?;
    let row = row.ok_or_else(|| Fault::not_found("catalog", id))?;
    Ok(row.catalog)
}

/// A catalog in any notation, for Airbyte's rules.
pub(crate) fn parsed(text: &str) -> Result<catalog::SyncCatalog, Fault> {
    catalog::SyncCatalog::parse(text)
        .map_err(|faults| Fault::Unprocessable(format!("the catalog cannot be used: {faults}")))
}

fn preference(row: &connection::Model) -> Preference {
    Preference::parse(&row.non_breaking_preference).unwrap_or(Preference::Ignore)
}

async fn notice(
    transaction: &DatabaseTransaction,
    connection: Uuid,
    new: &catalog::SyncCatalog,
) -> Result<Noticed, Fault> {
    let row = find(transaction, connection).await?;
    let configured = parsed(&row.sync_catalog)?;
    let accepted = match row.source_catalog_id {
        Some(id) => {
            discovered_catalog::Entity::find_by_id(id)
                .one(transaction)
                .await?
        }
        None => None,
    };
    let diff = match accepted {
        Some(accepted) => diff::airbyte(&parsed(&accepted.catalog)?, new, &configured),
        None => diff::airbyte(&configured, new, &configured),
    };
    let off = propagate::disables(&diff, preference(&row)) && row.status == "active";
    let mut update = row.into_active_model();
    update.breaking_change = Set(diff.is_breaking());
    if off {
        update.status = Set("inactive".to_owned());
        update.updated_at = Set(now_ms());
    }
    let row = update.update(transaction).await?;
    Ok(Noticed { row, diff })
}
