//! Tags: names and colours of a workspace that connections carry.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, Set,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::live_workspace;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::store::entities::{connection_tag, tag, workspace};
use crate::time::now_ms;

/// Characters of a tag's name.
const NAME_LEN_MAX: usize = 30;
/// Tags of one workspace.
const TAGS_MAX: u64 = 100;

impl tag::Model {
    /// The tag as both APIs answer it.
    pub(crate) fn view(&self) -> Value {
        json!({"tagId": self.id, "workspaceId": self.workspace_id, "name": self.name,
            "color": self.color})
    }
}

impl Engine {
    /// Tags of some workspaces, or of all, in the order they were made.
    pub(crate) async fn tag_list(&self, workspaces: &[Uuid]) -> Result<Vec<tag::Model>, Fault> {
        let mut query = tag::Entity::find();
        if !workspaces.is_empty() {
            query = query.filter(tag::Column::WorkspaceId.is_in(workspaces.iter().copied()));
        }
        let tags = query
            .order_by_asc(tag::Column::CreatedAt)
            .order_by_asc(tag::Column::Id)
            .all(self.store.read())
            .await?;
        let deleted: Vec<Uuid> = workspace::Entity::find()
            .filter(workspace::Column::Deleted.eq(true))
            .all(self.store.read())
            .await?
            .into_iter()
            .map(|workspace| workspace.id)
            .collect();
        let live = tags.into_iter();
        Ok(live
            .filter(|tag| !deleted.contains(&tag.workspace_id))
            .collect())
    }

    /// A tag.
    pub(crate) async fn tag(&self, id: Uuid) -> Result<tag::Model, Fault> {
        find(self.store.read(), id).await
    }

    /// Makes a tag.
    pub(crate) async fn tag_create(
        &self,
        workspace_id: Uuid,
        name: String,
        color: String,
    ) -> Result<tag::Model, Fault> {
        check(&name, &color)?;
        let transaction = self.store.write().await?;
        live_workspace(&transaction, workspace_id).await?;
        let of_workspace = tag::Entity::find().filter(tag::Column::WorkspaceId.eq(workspace_id));
        if of_workspace.count(&transaction).await? >= TAGS_MAX {
            return Err(fault(
                "error:tag-limit-for-workspace-reached",
                format!("a workspace has at most {TAGS_MAX} tags"),
            ));
        }
        refuse_twin(&transaction, workspace_id, &name, None).await?;
        let row = tag::ActiveModel {
            id: Set(Uuid::new_v4()),
            workspace_id: Set(workspace_id),
            name: Set(name),
            color: Set(color),
            created_at: Set(now_ms()),
        }
        .insert(&transaction)
        .await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Changes a tag, wherever it is carried.
    pub(crate) async fn tag_update(
        &self,
        id: Uuid,
        name: String,
        color: String,
    ) -> Result<tag::Model, Fault> {
        check(&name, &color)?;
        let transaction = self.store.write().await?;
        let row = find(&transaction, id).await?;
        refuse_twin(&transaction, row.workspace_id, &name, Some(id)).await?;
        let mut row = row.into_active_model();
        row.name = Set(name);
        row.color = Set(color);
        let row = row.update(&transaction).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Deletes a tag; connections lose it.
    pub(crate) async fn tag_delete(&self, id: Uuid) -> Result<(), Fault> {
        let transaction = self.store.write().await?;
        let row = find(&transaction, id).await?;
        tag::Entity::delete_by_id(row.id).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The tags of connections, as both APIs answer them.
    pub(crate) async fn connection_tags(
        &self,
        connections: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<Value>>, Fault> {
        let carried = connection_tag::Entity::find()
            .filter(connection_tag::Column::ConnectionId.is_in(connections.iter().copied()))
            .all(self.store.read())
            .await?;
        let mut found: HashMap<Uuid, Vec<Value>> = HashMap::new();
        if carried.is_empty() {
            return Ok(found);
        }
        for tag in self.tag_list(&[]).await? {
            for pair in carried.iter().filter(|pair| pair.tag_id == tag.id) {
                let of = found.entry(pair.connection_id).or_default();
                of.push(tag.view());
            }
        }
        Ok(found)
    }
}

/// Gives a connection these tags and no others.
pub(crate) async fn replace(
    transaction: &DatabaseTransaction,
    connection: Uuid,
    workspace: Uuid,
    tags: &[Uuid],
) -> Result<(), Fault> {
    connection_tag::Entity::delete_many()
        .filter(connection_tag::Column::ConnectionId.eq(connection))
        .exec(transaction)
        .await?;
    let mut done = Vec::with_capacity(tags.len());
    for id in tags {
        if done.contains(id) {
            continue;
        }
        let tag = find(transaction, *id).await?;
        if tag.workspace_id != workspace {
            return Err(Fault::BadRequest(format!(
                "tag {} belongs to another workspace than the connection",
                tag.name
            )));
        }
        connection_tag::ActiveModel {
            connection_id: Set(connection),
            tag_id: Set(tag.id),
        }
        .insert(transaction)
        .await?;
        done.push(*id);
    }
    Ok(())
}

async fn find<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<tag::Model, Fault> {
    tag::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| Fault::not_found("tag", id))
}

fn check(name: &str, color: &str) -> Result<(), Fault> {
    if name.chars().count() > NAME_LEN_MAX {
        return Err(fault(
            "error:tag-name-too-long",
            format!("a tag's name has at most {NAME_LEN_MAX} characters"),
        ));
    }
    if color.len() != 6 || !color.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(fault(
            "error:tag-invalid-hex-color",
            format!("{color} is not a colour of six hexadecimal digits"),
        ));
    }
    Ok(())
}

async fn refuse_twin(
    transaction: &DatabaseTransaction,
    workspace: Uuid,
    name: &str,
    except: Option<Uuid>,
) -> Result<(), Fault> {
    let twin = tag::Entity::find()
        .filter(tag::Column::WorkspaceId.eq(workspace))
        .filter(tag::Column::Name.eq(name))
        .one(transaction)
        .await?;
    match twin {
        Some(twin) if Some(twin.id) != except => Err(fault(
            "error:tag-already-exists",
            format!("the workspace has a tag named {name} already"),
        )),
        _ => Ok(()),
    }
}

fn fault(kind: &'static str, detail: String) -> Fault {
    Fault::Typed {
        kind,
        detail,
        data: json!({}),
    }
}
