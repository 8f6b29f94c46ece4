//! Workspaces: names under which sources, destinations and connections are grouped.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use serde_json::Value;
use uuid::Uuid;

use crate::actors::{Page, live_workspace};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::options::ConnectorKind;
use crate::store::entities::{actor, workspace};
use crate::time::now_ms;

impl Engine {
    /// Workspaces in the order they were made.
    pub(crate) async fn workspace_list(&self, page: &Page) -> Result<Vec<workspace::Model>, Fault> {
        let mut query = workspace::Entity::find();
        if !page.workspace_ids.is_empty() {
            let ids = page.workspace_ids.iter().copied();
            query = query.filter(workspace::Column::Id.is_in(ids));
        }
        if !page.include_deleted {
            query = query.filter(workspace::Column::Deleted.eq(false));
        }
        Ok(query
            .order_by_asc(workspace::Column::CreatedAt)
            .order_by_asc(workspace::Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .all(self.store.read())
            .await?)
    }

    /// A workspace that was not deleted.
    pub(crate) async fn workspace(&self, id: Uuid) -> Result<workspace::Model, Fault> {
        live_workspace(self.store.read(), id).await
    }

    /// When this Airbyte was installed: the time of its first workspace, deleted or not.
    pub(crate) async fn installed_at(&self) -> Result<i64, Fault> {
        let first = workspace::Entity::find()
            .order_by_asc(workspace::Column::CreatedAt)
            .one(self.store.read())
            .await?;
        Ok(first.map_or(0, |workspace| workspace.created_at))
    }

    /// Makes a workspace.
    pub(crate) async fn workspace_create(
        &self,
        name: String,
        notifications: Value,
    ) -> Result<workspace::Model, Fault> {
        let transaction = self.store.write().await?;
        let row = workspace::ActiveModel {
            id: Set(Uuid::new_v4()),
            name: Set(name),
            notifications: Set(notifications.to_string()),
            created_at: Set(now_ms()),
            deleted: Set(false),
        }
        .insert(&transaction)
        .await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Changes a workspace; `None` stays as it is.
    pub(crate) async fn workspace_update(
        &self,
        id: Uuid,
        name: Option<String>,
        notifications: Option<Value>,
    ) -> Result<workspace::Model, Fault> {
        let transaction = self.store.write().await?;
        let mut row = live_workspace(&transaction, id).await?.into_active_model();
        if let Some(name) = name {
            row.name = Set(name);
        }
        if let Some(sent) = notifications {
            // Kinds of notifications that were not sent stay as they are.
            let mut all: Value = stored("notifications", row.notifications.as_ref())?;
            if let (Some(all), Value::Object(sent)) = (all.as_object_mut(), sent) {
                all.extend(sent);
            }
            row.notifications = Set(all.to_string());
        }
        let row = row.update(&transaction).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Deletes a workspace with everything in it.
    pub(crate) async fn workspace_delete(&self, id: Uuid) -> Result<(), Fault> {
        let transaction = self.store.write().await?;
        let mut row = live_workspace(&transaction, id).await?.into_active_model();
        row.deleted = Set(true);
        row.update(&transaction).await?;
        transaction.commit().await?;
        let actors = actor::Entity::find()
            .filter(actor::Column::WorkspaceId.eq(id))
            .filter(actor::Column::Deleted.eq(false))
            .all(self.store.read())
            .await?;
        for actor in actors {
            let kind = match actor.kind.as_str() {
                "source" => ConnectorKind::Source,
                _ => ConnectorKind::Destination,
            };
            self.actor_delete(kind, actor.id).await?;
        }
        Ok(())
    }
}
