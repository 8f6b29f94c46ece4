//! Connector definitions that users add: images, and declarative sources with their manifests.

use std::collections::HashSet;
use std::sync::Arc;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Set,
};
use serde_json::Value;
use uuid::Uuid;

use crate::actors::live_workspace;
use crate::definitions::{Custom, Definition, Definitions, Launch, MANIFEST_RUNNER, Manifest};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::options::ConnectorKind;
use crate::store::entities::{actor, custom_definition};
use crate::time::now_ms;

/// What a definition is made of.
pub(crate) struct NewDefinition {
    pub(crate) kind: ConnectorKind,
    pub(crate) workspace_id: Uuid,
    pub(crate) name: String,
    pub(crate) docker_repository: String,
    pub(crate) docker_image_tag: String,
    pub(crate) documentation_url: Option<String>,
    /// Set for a declarative source.
    pub(crate) manifest: Option<Value>,
}

/// What a definition becomes; `None` stays as it is.
#[derive(Default)]
pub(crate) struct DefinitionChange {
    pub(crate) name: Option<String>,
    pub(crate) docker_image_tag: Option<String>,
    pub(crate) manifest: Option<Value>,
}

/// The first manifest's version.
const FIRST_VERSION: i64 = 1;

impl Engine {
    /// Makes every stored definition known; used at the start.
    pub(crate) async fn definitions_load(&self) -> Result<(), Fault> {
        let rows = custom_definition::Entity::find()
            .filter(custom_definition::Column::Deleted.eq(false))
            .all(self.store.read())
            .await?;
        for row in rows {
            self.definitions.put(read(&self.definitions, &row)?);
        }
        Ok(())
    }

    /// A definition that a workspace may use.
    pub(crate) fn definition_of(
        &self,
        kind: ConnectorKind,
        workspace: Uuid,
        id: Uuid,
    ) -> Result<Arc<Definition>, Fault> {
        let found = self.definitions.get(kind, id)?;
        if found.usable_in(workspace) {
            return Ok(found);
        }
        Err(Fault::not_found("connector definition", id))
    }

    /// Definitions that a workspace has sources or destinations of.
    pub(crate) async fn definitions_used(
        &self,
        kind: ConnectorKind,
        workspace: Uuid,
    ) -> Result<HashSet<Uuid>, Fault> {
        let ids: Vec<Uuid> = actor::Entity::find()
            .select_only()
            .column(actor::Column::DefinitionId)
            .filter(actor::Column::Kind.eq(kind.as_str()))
            .filter(actor::Column::WorkspaceId.eq(workspace))
            .filter(actor::Column::Deleted.eq(false))
            .into_tuple()
            .all(self.store.read())
            .await?;
        Ok(ids.into_iter().collect())
    }

    /// Adds a definition. An image that does not answer `spec` here is refused.
    pub(crate) async fn definition_create(
        &self,
        new: NewDefinition,
    ) -> Result<Arc<Definition>, Fault> {
        let row = custom_definition::Model {
            id: Uuid::new_v4(),
            kind: new.kind.as_str().to_owned(),
            workspace_id: new.workspace_id,
            name: new.name,
            docker_repository: new.docker_repository,
            docker_image_tag: new.docker_image_tag,
            documentation_url: new.documentation_url,
            manifest: new.manifest.map(|manifest| manifest.to_string()),
            manifest_version: FIRST_VERSION,
            created_at: now_ms(),
            deleted: false,
        };
        live_workspace(self.store.read(), row.workspace_id).await?;
        let definition = read(&self.definitions, &row)?;
        self.runnable(&definition).await?;
        let transaction = self.store.write().await?;
        live_workspace(&transaction, row.workspace_id).await?;
        custom_definition::ActiveModel::from(row)
            .insert(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(self.definitions.put(definition))
    }

    /// Changes a definition; a new manifest is a new version.
    pub(crate) async fn definition_update(
        &self,
        known: &Definition,
        change: DefinitionChange,
    ) -> Result<Arc<Definition>, Fault> {
        let mut row = self.own(known).await?;
        if let Some(name) = change.name {
            row.name = name;
        }
        if let Some(tag) = change.docker_image_tag {
            row.docker_image_tag = tag;
        }
        if let Some(manifest) = change.manifest {
            row.manifest = Some(manifest.to_string());
            row.manifest_version += 1;
        }
        let definition = read(&self.definitions, &row)?;
        self.runnable(&definition).await?;
        let transaction = self.store.write().await?;
        row.into_active_model()
            .reset_all()
            .update(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(self.definitions.put(definition))
    }

    /// Deletes a definition with the sources or destinations that use it.
    pub(crate) async fn definition_delete(&self, known: &Definition) -> Result<(), Fault> {
        let row = self.own(known).await?;
        let users = actor::Entity::find()
            .filter(actor::Column::DefinitionId.eq(row.id))
            .filter(actor::Column::Deleted.eq(false))
            .all(self.store.read())
            .await?;
        for user in users {
            self.actor_delete(known.kind, user.id).await?;
        }
        let transaction = self.store.write().await?;
        let mut row = row.into_active_model();
        row.deleted = Set(true);
        row.update(&transaction).await?;
        transaction.commit().await?;
        self.definitions.remove(known.id);
        Ok(())
    }

    async fn own(&self, known: &Definition) -> Result<custom_definition::Model, Fault> {
        if known.custom.is_none() {
            return Err(Fault::Forbidden(format!(
                "{} belongs to this Airbyte and cannot be changed",
                known.name
            )));
        }
        custom_definition::Entity::find_by_id(known.id)
            .filter(custom_definition::Column::Deleted.eq(false))
            .one(self.store.read())
            .await?
            .ok_or_else(|| Fault::not_found("connector definition", known.id))
    }

    async fn runnable(&self, definition: &Definition) -> Result<(), Fault> {
        // Defining a connector pulls its image; no other request does.
        if let Launch::Docker(image) = &definition.launch {
            let report = |line: &str| tracing::info!("{line}");
            let pulled = self.runner.docker.pull(image, &report).await;
            pulled.map_err(|why| {
                Fault::StateConflict(format!("Get Spec job failed for {image}: {why}"))
            })?;
        }
        match self.spec(definition).await {
            Ok(_) => Ok(()),
            Err(Fault::Unexpected(why)) if definition.manifest().is_none() => {
                Err(Fault::StateConflict(format!(
                    "Get Spec job failed for {}: {why}",
                    definition.image()
                )))
            }
            Err(fault) => Err(fault),
        }
    }
}

fn read(known: &Definitions, row: &custom_definition::Model) -> Result<Definition, Fault> {
    let (launch, supports_refreshes) =
        known.launch_of(&row.docker_repository, &row.docker_image_tag);
    let manifest = match &row.manifest {
        None => None,
        Some(text) => Some(Manifest {
            content: stored("manifest", text)?,
            version: row.manifest_version,
        }),
    };
    Ok(Definition {
        id: row.id,
        kind: match row.kind.as_str() {
            "source" => ConnectorKind::Source,
            _ => ConnectorKind::Destination,
        },
        name: row.name.clone(),
        docker_repository: row.docker_repository.clone(),
        version: row.docker_image_tag.clone(),
        supports_refreshes,
        launch,
        custom: Some(Custom {
            workspace_id: row.workspace_id,
            documentation_url: row.documentation_url.clone(),
            manifest,
        }),
    })
}

impl NewDefinition {
    /// A declarative source of a workspace.
    pub(crate) fn declarative(workspace_id: Uuid, name: String, manifest: Value) -> Self {
        Self {
            kind: ConnectorKind::Source,
            workspace_id,
            name,
            docker_repository: MANIFEST_RUNNER.to_owned(),
            // The manifest states the version of its language.
            docker_image_tag: manifest["version"].as_str().unwrap_or("0.0.0").to_owned(),
            documentation_url: None,
            manifest: Some(manifest),
        }
    }
}
