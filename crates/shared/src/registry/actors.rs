//! `actors`: sources and destinations that connections share, written by the orchestrator.
//!
//! The row prevents an actor from being deleted while a connection starts to use it: both
//! operations write the row first, which locks it until their commit. An actor that AAM did not
//! create gets its row when it is first used.

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

/// Number of attempts to lock a row that is being deleted concurrently.
const TRIES: u32 = 3;
/// A deletion that has not finished by then never will.
const FORGOTTEN_AFTER: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// A source or destination to create.
#[derive(Debug, Clone)]
pub struct NewActor {
    /// Its row's id, which is part of the ownership tag in its Airbyte name.
    pub id: Uuid,
    /// Source or destination.
    pub kind: ActorKind,
    /// Base URL of the Airbyte that it is created on.
    pub airbyte_instance: String,
    /// The Airbyte workspace.
    pub workspace_id: Uuid,
    /// Its name, without the ownership tag.
    pub name: String,
    /// Its connector's short name: `postgres`.
    pub connector: String,
}

/// An existing source or destination.
#[derive(Debug, Clone, Copy)]
pub struct ActorRef<'a> {
    /// Source or destination.
    pub kind: ActorKind,
    /// Base URL of its Airbyte.
    pub instance: &'a str,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// Its id in Airbyte.
    pub airbyte_id: Uuid,
}

/// A connection that uses an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorUser {
    /// The connection.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

impl Registry {
    /// Starts creating an actor: inserts its row and its operation.
    ///
    /// # Errors
    /// Returns an error if the database fails.
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

    /// Completes the creation of an actor: its id in Airbyte and the event, in one write.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
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

    /// Completes a rolled-back creation: nothing of the actor remains.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
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

    /// Returns the row with that id.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn actor_get(&self, id: Uuid) -> Result<Option<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find_by_id(id).one(&reader).await?)
    }

    /// Returns all rows of that Airbyte.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn actor_rows(&self, instance: &str) -> Result<Vec<Model>, Error> {
        let reader = self.reader().await?;
        Ok(Entity::find()
            .filter(Column::AirbyteInstance.eq(instance))
            .all(&reader)
            .await?)
    }

    /// Returns at most `limit` connections that use an actor, oldest first. A failed onboarding
    /// uses nothing.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn actor_users(&self, of: ActorRef<'_>, limit: u64) -> Result<Vec<ActorUser>, Error> {
        let reader = self.reader().await?;
        users(&reader, of, None, limit).await
    }

    /// Starts deleting an actor: from now on no connection can start to use it.
    ///
    /// # Errors
    /// Returns `Conflict::ActorInUse` if a connection uses it, or `Conflict::OperationInProgress`
    /// if it is being removed already.
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
            NewOperation::started(OperationKind::DeleteActor, row.id, &request, owner);
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

    /// Completes a deletion: deletes the row and publishes the event.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
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

    /// Ends a deletion that Airbyte rejected: the actor can be used again.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the lease is no longer held.
    pub async fn actor_removal_fail(&self, lease: &Lease, error: &str) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        set_status(&writer, lease.connection_id, ActorStatus::Active).await?;
        finish(&writer, lease, Ending::failed(error)).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Marks an actor as deleting together with the connection `with`, unless another connection
    /// uses it; returns whether it may be deleted.
    ///
    /// # Errors
    /// Returns an error if the database fails.
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

    /// Deletes the rows of actors whose deletion started over an hour ago and that Airbyte no
    /// longer lists among `alive`: the process that deleted them crashed before it could.
    ///
    /// # Errors
    /// Returns an error if the registry does not answer.
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

    /// Deletes the row of an actor that no longer exists.
    ///
    /// # Errors
    /// Returns an error if the database fails.
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

/// Locks everything that a connection is about to use, within the transaction that creates it.
///
/// # Errors
/// Returns `Conflict::ActorDeleting` if it is being removed.
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

/// Locks the row until the commit; inserts it if necessary.
async fn hold(writer: &DatabaseTransaction, of: ActorRef<'_>) -> Result<Model, Error> {
    // If another transaction is deleting the row at this moment, the insert does nothing, and the
    // row is gone when it could be locked: then a new row can be inserted.
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
