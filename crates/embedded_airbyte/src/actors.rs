//! Sources and destinations, which Airbyte calls actors: their configurations validated against
//! the connector's specification and their secrets sealed.

use std::sync::Arc;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::definitions::Definition;
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::options::ConnectorKind;
use crate::secrets::{self, Redactor};
use crate::store::entities::{actor, connection, workspace};
use crate::time::now_ms;

/// What a source or destination is made of.
pub(crate) struct NewActor {
    pub(crate) kind: ConnectorKind,
    pub(crate) name: String,
    pub(crate) workspace_id: Uuid,
    pub(crate) definition_id: Option<Uuid>,
    pub(crate) configuration: Value,
    pub(crate) resource_allocation: Option<Value>,
}

/// What a source or destination becomes; `None` stays as it is.
pub(crate) struct ActorChange {
    pub(crate) name: Option<String>,
    pub(crate) configuration: Option<Value>,
    /// Whether `configuration` is laid over the stored one or replaces it.
    pub(crate) merge: bool,
    pub(crate) resource_allocation: Option<Value>,
}

/// Which rows of a list.
pub(crate) struct Page {
    pub(crate) workspace_ids: Vec<Uuid>,
    pub(crate) include_deleted: bool,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// An actor ready to run.
pub(crate) struct Configured {
    pub(crate) row: actor::Model,
    pub(crate) definition: Arc<Definition>,
    pub(crate) configuration: Value,
    pub(crate) redactor: Arc<Redactor>,
}

/// Where the runner of declarative sources looks for the manifest.
const INJECTED_MANIFEST: &str = "__injected_declarative_manifest";

fn noun(kind: ConnectorKind) -> &'static str {
    kind.as_str()
}

/// The configuration's member that names the connector.
pub(crate) fn type_member(kind: ConnectorKind) -> &'static str {
    match kind {
        ConnectorKind::Source => "sourceType",
        ConnectorKind::Destination => "destinationType",
    }
}

impl Engine {
    /// An actor that was not deleted.
    pub(crate) async fn actor(&self, kind: ConnectorKind, id: Uuid) -> Result<actor::Model, Fault> {
        live_actor(self.store.read(), kind, id).await
    }

    /// An actor as it is shown: a deleted one stays, without its configuration.
    pub(crate) async fn actor_shown(
        &self,
        kind: ConnectorKind,
        id: Uuid,
    ) -> Result<actor::Model, Fault> {
        let row = actor::Entity::find_by_id(id)
            .filter(actor::Column::Kind.eq(noun(kind)))
            .one(self.store.read())
            .await?
            .ok_or_else(|| Fault::not_found(noun(kind), id))?;
        if !row.deleted {
            return Ok(row);
        }
        Ok(actor::Model {
            configuration: "{}".to_owned(),
            secrets: "{}".to_owned(),
            ..row
        })
    }

    /// The definition of an actor, also of a deleted one.
    pub(crate) async fn actor_definition(
        &self,
        kind: ConnectorKind,
        id: Uuid,
    ) -> Result<Arc<Definition>, Fault> {
        let row = actor::Entity::find_by_id(id)
            .one(self.store.read())
            .await?
            .ok_or_else(|| Fault::not_found(noun(kind), id))?;
        self.definitions.get(kind, row.definition_id)
    }

    /// Actors in the order they were made.
    pub(crate) async fn actor_list(
        &self,
        kind: ConnectorKind,
        page: &Page,
    ) -> Result<Vec<actor::Model>, Fault> {
        let mut query = actor::Entity::find().filter(actor::Column::Kind.eq(noun(kind)));
        if !page.workspace_ids.is_empty() {
            let ids = page.workspace_ids.iter().copied();
            query = query.filter(actor::Column::WorkspaceId.is_in(ids));
        }
        if !page.include_deleted {
            query = query.filter(actor::Column::Deleted.eq(false));
        }
        Ok(query
            .order_by_asc(actor::Column::CreatedAt)
            .order_by_asc(actor::Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .all(self.store.read())
            .await?)
    }

    /// Makes an actor. Nothing is checked but the shape of its configuration.
    pub(crate) async fn actor_create(&self, new: NewActor) -> Result<actor::Model, Fault> {
        let mut configuration = new.configuration;
        let short_name = take_type(&mut configuration, new.kind);
        let definition = match (new.definition_id, short_name) {
            (Some(id), _) => self.definition_of(new.kind, new.workspace_id, id)?,
            (None, Some(name)) => self.definitions.by_short_name(new.kind, &name)?,
            (None, None) => {
                let member = type_member(new.kind);
                return Err(Fault::Unprocessable(format!(
                    "either definitionId or configuration.{member} is required"
                )));
            }
        };
        let spec = self.spec(&definition).await?;
        spec.validate(&configuration)?;
        let id = Uuid::new_v4();
        let sealed = secrets::seal(&self.seal, id, &spec.schema, &configuration);
        let now = now_ms();
        let transaction = self.store.write().await?;
        live_workspace(&transaction, new.workspace_id).await?;
        let row = actor::ActiveModel {
            id: Set(id),
            kind: Set(noun(new.kind).to_owned()),
            workspace_id: Set(new.workspace_id),
            definition_id: Set(definition.id),
            name: Set(new.name),
            configuration: Set(sealed.configuration),
            secrets: Set(sealed.secrets),
            resource_allocation: Set(new.resource_allocation.map(|value| value.to_string())),
            created_at: Set(now),
            updated_at: Set(now),
            deleted: Set(false),
        }
        .insert(&transaction)
        .await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Changes an actor.
    pub(crate) async fn actor_update(
        &self,
        kind: ConnectorKind,
        id: Uuid,
        change: ActorChange,
    ) -> Result<actor::Model, Fault> {
        let definition_id = self.actor(kind, id).await?.definition_id;
        let definition = self.definitions.get(kind, definition_id)?;
        let spec = self.spec(&definition).await?;
        let transaction = self.store.write().await?;
        let row = live_actor(&transaction, kind, id).await?;
        let mut update = row.clone().into_active_model();
        if let Some(mut sent) = change.configuration {
            let old = secrets::open(&self.seal, id, &row.configuration, &row.secrets)?;
            take_type(&mut sent, kind);
            if change.merge {
                let mut merged = old.clone();
                merge(&mut merged, sent);
                sent = merged;
            }
            secrets::unmask(&spec.schema, &mut sent, &old);
            spec.validate(&sent)?;
            let sealed = secrets::seal(&self.seal, id, &spec.schema, &sent);
            update.configuration = Set(sealed.configuration);
            update.secrets = Set(sealed.secrets);
        }
        if let Some(name) = change.name {
            update.name = Set(name);
        }
        if let Some(allocation) = change.resource_allocation {
            update.resource_allocation = Set(Some(allocation.to_string()));
        }
        update.updated_at = Set(now_ms());
        let row = update.update(&transaction).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Deletes an actor and its connections; what runs for them is stopped.
    pub(crate) async fn actor_delete(&self, kind: ConnectorKind, id: Uuid) -> Result<(), Fault> {
        let transaction = self.store.write().await?;
        let row = live_actor(&transaction, kind, id).await?;
        let end = match kind {
            ConnectorKind::Source => connection::Column::SourceId,
            ConnectorKind::Destination => connection::Column::DestinationId,
        };
        let mut update = row.into_active_model();
        update.deleted = Set(true);
        // Its secrets are no longer needed.
        update.configuration = Set("{}".to_owned());
        update.secrets = Set("{}".to_owned());
        update.updated_at = Set(now_ms());
        update.update(&transaction).await?;
        let connections = connection::Entity::find()
            .filter(end.eq(id))
            .filter(connection::Column::Status.ne("deprecated"))
            .all(&transaction)
            .await?;
        transaction.commit().await?;
        for connection in connections {
            self.connection_delete(connection.id).await?;
        }
        Ok(())
    }

    /// Everything needed to run an actor's connector.
    pub(crate) async fn configured(
        &self,
        kind: ConnectorKind,
        id: Uuid,
    ) -> Result<Configured, Fault> {
        let row = self.actor(kind, id).await?;
        let definition = self.definitions.get(kind, row.definition_id)?;
        let spec = self.spec(&definition).await?;
        let configuration = secrets::open(&self.seal, id, &row.configuration, &row.secrets)?;
        let redactor = Arc::new(Redactor::default());
        redactor.learn(&spec.schema, &configuration);
        let mut configuration = configuration;
        if let Some(manifest) = definition.manifest() {
            configuration[INJECTED_MANIFEST] = manifest.content.clone();
        }
        Ok(Configured {
            row,
            definition,
            configuration,
            redactor,
        })
    }

    /// Stores the configuration that a connector asked to store, at once.
    pub(crate) async fn actor_control(
        &self,
        actor: &Configured,
        configuration: &RawValue,
    ) -> Result<(), Fault> {
        let spec = self.spec(&actor.definition).await?;
        let mut configuration: Value = stored("configuration", configuration.get())?;
        if let Some(members) = configuration.as_object_mut() {
            members.shift_remove(INJECTED_MANIFEST);
        }
        actor.redactor.learn(&spec.schema, &configuration);
        spec.validate(&configuration)?;
        let id = actor.row.id;
        let sealed = secrets::seal(&self.seal, id, &spec.schema, &configuration);
        let transaction = self.store.write().await?;
        let mut update = live_actor(&transaction, actor.definition.kind, id)
            .await?
            .into_active_model();
        update.configuration = Set(sealed.configuration);
        update.secrets = Set(sealed.secrets);
        update.updated_at = Set(now_ms());
        update.update(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

pub(crate) async fn live_actor<C: ConnectionTrait>(
    db: &C,
    kind: ConnectorKind,
    id: Uuid,
) -> Result<actor::Model, Fault> {
    actor::Entity::find_by_id(id)
        .filter(actor::Column::Kind.eq(noun(kind)))
        .filter(actor::Column::Deleted.eq(false))
        .one(db)
        .await?
        .ok_or_else(|| Fault::not_found(noun(kind), id))
}

pub(crate) async fn live_workspace<C: ConnectionTrait>(
    db: &C,
    id: Uuid,
) -> Result<workspace::Model, Fault> {
    workspace::Entity::find_by_id(id)
        .filter(workspace::Column::Deleted.eq(false))
        .one(db)
        .await?
        .ok_or_else(|| Fault::not_found("workspace", id))
}

/// Takes the connector's short name out of a configuration.
fn take_type(configuration: &mut Value, kind: ConnectorKind) -> Option<String> {
    let members = configuration.as_object_mut()?;
    let name = members.shift_remove(type_member(kind))?;
    name.as_str().map(str::to_owned)
}

/// Lays `over` on `base`, member by member.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
