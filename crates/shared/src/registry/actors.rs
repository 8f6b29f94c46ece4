//! `actors`: sources and destinations that connections share, written by the orchestrator.
//!
//! A row is what keeps one from being removed while somebody begins to use it: both write the row
//! first, which locks it until their commit. One that was not made by AAM gets its row when it is
//! first used.

use chrono::{DateTime, Utc};
use contracts::Event;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::connections::NewConnection;
use super::entities::actor::{ActiveModel, Column, Entity, Model};
use super::entities::connection;
use super::operations::{Ending, Lease, NewOperation, assert_held, finish};
use super::status::{ActorStatus, ConnectionStatus, OperationKind};
use super::{Conflict, Error, Registry, audit, now, outbox};
use crate::airbyte::ActorKind;

/// How often a row is tried to be locked that others remove.
const TRIES: u32 = 3;
/// A removal that has not ended by then never will.
const FORGOTTEN_AFTER: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// A source or destination to be.
#[derive(Debug, Clone)]
pub struct NewActor {
    /// Its row's id, which is in the mark of its name in Airbyte.
    pub id: Uuid,
    /// Which of the two.
    pub kind: ActorKind,
    /// Base URL of the Airbyte it is made on.
    pub airbyte_instance: String,
    /// The Airbyte workspace.
    pub workspace_id: Uuid,
    /// Its name, without the mark.
    pub name: String,
    /// Its connector, as people name it: `postgres`.
    pub connector: String,
}

/// A source or destination that is there.
#[derive(Debug, Clone, Copy)]
pub struct ActorRef<'a> {
    /// Which of the two.
    pub kind: ActorKind,
    /// Base URL of its Airbyte.
    pub instance: &'a str,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// Its id in Airbyte.
    pub airbyte_id: Uuid,
}

/// A connection that uses one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorUser {
    /// The connection.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

impl Registry {
    /// Begins to make one: its row and its operation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actor_begin(
        &self,
        new: &NewActor,
        operation: NewOperation<'_>,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let at = now();
        Entity::insert(ActiveModel {
            id: Set(new.id),
            kind: Set(new.kind.as_str().to_owned()),
            airbyte_instance: Set(new.airbyte_instance.clone()),
            workspace_id: Set(new.workspace_id),
            airbyte_id: Set(None),
            status: Set(ActorStatus::Pending),
            created_at: Set(at),
            updated_at: Set(at),
        })
        .exec_without_returning(&writer)
        .await?;
        let lease = self.operation_insert(&writer, operation).await?;
        let change = audit::Change {
            action: new.kind.either("source.create", "destination.create"),
            target: new.id.to_string(),
            after: Some(json!({
                "name": new.name,
                "type": new.connector,
                "workspace_id": new.workspace_id,
            })),
            ..audit::Change::default()
        };
        audit::append(&writer, change).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Ends the making of one well: its id in Airbyte and the event, in one write.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more.
    pub async fn actor_succeed(
        &self,
        lease: &Lease,
        new: &NewActor,
        airbyte_id: Uuid,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        Entity::update_many()
            .col_expr(Column::AirbyteId, Expr::value(airbyte_id))
            .col_expr(Column::Status, Expr::value(ActorStatus::Active))
            .col_expr(Column::UpdatedAt, Expr::value(now()))
            .filter(Column::Id.eq(new.id))
            .exec(&writer)
            .await?;
        let (name, connector) = (new.name.clone(), new.connector.clone());
        let event = match new.kind {
            ActorKind::Source => Event::SourceCreated {
                source_id: airbyte_id,
                name,
                source_type: connector,
            },
            ActorKind::Destination => Event::DestinationCreated {
                destination_id: airbyte_id,
                name,
                destination_type: connector,
            },
        };
        outbox::append(&writer, None, &event).await?;
        let result = json!({ "id": airbyte_id }).to_string();
        finish(&writer, lease, Ending::succeeded(Some(&result))).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Ends the making of one that was undone: nothing of it stays.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more.
    pub async fn actor_fail(
        &self,
        lease: &Lease,
        reason: &str,
        settle_until: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        Entity::delete_by_id(lease.connection_id)
            .exec(&writer)
            .await?;
        let ending = Ending::failed(reason).settling(settle_until);
        finish(&writer, lease, ending).await?;
        writer.commit().await?;
        Ok(())
    }

    /// The row with that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actor_get(&self, id: Uuid) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find_by_id(id).one(&reader).await?)
    }

    /// Every row of that Airbyte.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actor_rows(&self, instance: &str) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::AirbyteInstance.eq(instance))
            .all(&reader)
            .await?)
    }

    /// The connections that use one, oldest first, at most `limit`. An onboarding that failed uses
    /// nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actor_users(&self, of: ActorRef<'_>, limit: u64) -> Result<Vec<ActorUser>, Error> {
        let reader = self.reader().await?;
        users(&reader, of, None, limit).await
    }

    /// Begins to remove one: from here on nothing begins to use it.
    ///
    /// # Errors
    /// `Conflict::ActorInUse` when a connection uses it, `Conflict::OperationInProgress` when it is
    /// being removed already.
    pub async fn actor_removal_begin(
        &self,
        of: ActorRef<'_>,
        before: Value,
        owner: &str,
    ) -> Result<Lease, Error> {
        let writer = self.writer().await?;
        let row = hold(&writer, of).await?;
        if !users(&writer, of, None, 1).await?.is_empty() {
            return Err(Error::Conflict(Conflict::ActorInUse));
        }
        set_status(&writer, row.id, ActorStatus::Deleting).await?;
        let request = json!({
            "kind": of.kind.as_str(),
            "airbyte_id": of.airbyte_id,
            "name": before["name"],
        });
        let request = request.to_string();
        let mut operation =
            NewOperation::begun(OperationKind::DeleteActor, row.id, &request, owner);
        operation.workspace_id = Some(of.workspace_id);
        let lease = self.operation_insert(&writer, operation).await?;
        let change = audit::Change {
            action: of.kind.either("source.delete", "destination.delete"),
            target: of.airbyte_id.to_string(),
            before: Some(before),
            ..audit::Change::default()
        };
        audit::append(&writer, change).await?;
        writer.commit().await?;
        Ok(lease)
    }

    /// Ends the removal of one: its row goes, and the event is told.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more.
    pub async fn actor_removal_succeed(&self, lease: &Lease, event: &Event) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        Entity::delete_by_id(lease.connection_id)
            .exec(&writer)
            .await?;
        outbox::append(&writer, None, event).await?;
        finish(&writer, lease, Ending::succeeded(None)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Ends a removal that Airbyte refused: it may be used again.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when the lease is not held any more.
    pub async fn actor_removal_fail(&self, lease: &Lease, error: &str) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        set_status(&writer, lease.connection_id, ActorStatus::Active).await?;
        finish(&writer, lease, Ending::failed(error)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Keeps everybody from beginning to use one that goes with the connection `with`, unless another
    /// connection uses it; answers whether it may go.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actor_retire(&self, of: ActorRef<'_>, with: Uuid) -> Result<bool, Error> {
        let writer = self.writer().await?;
        let row = hold(&writer, of).await?;
        let is_free = users(&writer, of, Some(with), 1).await?.is_empty();
        if is_free {
            set_status(&writer, row.id, ActorStatus::Deleting).await?;
        }
        writer.commit().await?;
        Ok(is_free)
    }

    /// Forgets actors that were being removed an hour ago and that Airbyte no longer lists among `alive`:
    /// the process that removed them died before it could.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub async fn actors_forget_gone(
        &self,
        kind: ActorKind,
        instance: &str,
        workspace: Uuid,
        alive: &[Uuid],
    ) -> Result<usize, Error> {
        let writer = self.writer().await?;
        let left: Vec<Model> = Entity::find()
            .filter(Column::Kind.eq(kind.as_str()))
            .filter(Column::AirbyteInstance.eq(instance))
            .filter(Column::WorkspaceId.eq(workspace))
            .filter(Column::Status.eq(ActorStatus::Deleting))
            .filter(Column::UpdatedAt.lt(now() - FORGOTTEN_AFTER))
            .all(&writer)
            .await?;
        let gone: Vec<Uuid> = left
            .iter()
            .filter(|row| row.airbyte_id.is_some_and(|id| !alive.contains(&id)))
            .map(|row| row.id)
            .collect();
        if !gone.is_empty() {
            Entity::delete_many()
                .filter(Column::Id.is_in(gone.iter().copied()))
                .filter(Column::Status.eq(ActorStatus::Deleting))
                .exec(&writer)
                .await?;
        }
        writer.commit().await?;
        Ok(gone.len())
    }

    /// Forgets one that is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actor_forget(&self, of: ActorRef<'_>) -> Result<(), Error> {
        let writer = self.writer().await?;
        Entity::delete_many()
            .filter(named(of))
            .exec(&writer)
            .await?;
        writer.commit().await?;
        Ok(())
    }
}

/// Takes hold of everything that a connection is about to use, within the transaction that begins
/// it.
///
/// # Errors
/// `Conflict::ActorDeleting` when it is being removed.
pub(super) async fn begin_to_use(
    writer: &DatabaseTransaction,
    new: &NewConnection,
) -> Result<(), Error> {
    let used = [
        (ActorKind::Destination, Some(new.destination_id)),
        (ActorKind::Source, new.source_id),
    ];
    for (kind, id) in used {
        let Some(airbyte_id) = id else {
            continue;
        };
        let of = ActorRef {
            kind,
            instance: &new.airbyte_instance,
            workspace_id: new.workspace_id,
            airbyte_id,
        };
        if hold(writer, of).await?.status == ActorStatus::Deleting {
            return Err(Error::Conflict(Conflict::ActorDeleting));
        }
    }
    Ok(())
}

/// Locks the row until the commit; makes it where there is none.
async fn hold(writer: &DatabaseTransaction, of: ActorRef<'_>) -> Result<Model, Error> {
    // A row that another transaction removes at this moment keeps the insert from happening, and is
    // gone when it could be locked: then there is room for a new one.
    for _ in 0..TRIES {
        let at = now();
        let mut unless_known =
            OnConflict::columns([Column::AirbyteInstance, Column::Kind, Column::AirbyteId]);
        unless_known.do_nothing();
        let inserted = Entity::insert(ActiveModel {
            id: Set(Uuid::now_v7()),
            kind: Set(of.kind.as_str().to_owned()),
            airbyte_instance: Set(of.instance.to_owned()),
            workspace_id: Set(of.workspace_id),
            airbyte_id: Set(Some(of.airbyte_id)),
            status: Set(ActorStatus::Active),
            created_at: Set(at),
            updated_at: Set(at),
        })
        .on_conflict(unless_known)
        .exec_without_returning(writer)
        .await;
        match inserted {
            Ok(_) | Err(sea_orm::DbErr::RecordNotInserted) => {}
            Err(error) => return Err(error.into()),
        }
        let locked = Entity::update_many()
            .col_expr(Column::UpdatedAt, Expr::value(at))
            .filter(named(of))
            .exec_with_returning(writer)
            .await?;
        if let Some(row) = locked.into_iter().next() {
            return Ok(row);
        }
    }
    Err(Error::Conflict(Conflict::ActorDeleting))
}

fn named(of: ActorRef<'_>) -> Condition {
    Condition::all()
        .add(Column::AirbyteInstance.eq(of.instance))
        .add(Column::Kind.eq(of.kind.as_str()))
        .add(Column::AirbyteId.eq(of.airbyte_id))
}

async fn set_status(
    writer: &DatabaseTransaction,
    id: Uuid,
    status: ActorStatus,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .exec(writer)
        .await?;
    Ok(())
}

async fn users(
    database: &impl ConnectionTrait,
    of: ActorRef<'_>,
    except: Option<Uuid>,
    limit: u64,
) -> Result<Vec<ActorUser>, Error> {
    use connection::Column;
    let uses = (of.kind).either(Column::AirbyteSourceId, Column::DestinationId);
    let has_failed = Condition::all()
        .add(Column::Status.eq(ConnectionStatus::Failed))
        .add(Column::CurrentVersion.eq(0));
    let mut query = connection::Entity::find()
        .select_only()
        .columns([Column::Id, Column::Name])
        .filter(Column::AirbyteInstance.eq(of.instance))
        .filter(uses.eq(of.airbyte_id))
        .filter(has_failed.not())
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some(except) = except {
        query = query.filter(Column::Id.ne(except));
    }
    let rows: Vec<(Uuid, String)> = query.into_tuple().all(database).await?;
    Ok(rows
        .into_iter()
        .map(|(id, name)| ActorUser { id, name })
        .collect())
}
