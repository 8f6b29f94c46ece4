//! Connections: what is kept of them and how they change.

use airbyte_protocol::StreamDescriptor;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::actors::{Page, live_actor};
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::jobs::stream_key;
use crate::naming::Naming;
use crate::notation::{SyncCatalog, narrowed};
use crate::options::ConnectorKind;
use crate::schedule::Schedule;
use crate::state_epochs;
use crate::store::entities::{connection, connection_state, connection_tag};
use crate::tags;
use crate::time::now_ms;

/// What a connection is made of.
pub(crate) struct NewConnection {
    pub(crate) name: Option<String>,
    pub(crate) source_id: Uuid,
    pub(crate) destination_id: Uuid,
    pub(crate) status: String,
    pub(crate) catalog: SyncCatalog,
    pub(crate) source_catalog_id: Option<Uuid>,
    pub(crate) naming: Naming,
    pub(crate) schedule: Schedule,
    pub(crate) non_breaking_preference: String,
    pub(crate) tags: Vec<Uuid>,
    /// Settings that only the Config API's `connections/create` takes.
    pub(crate) further: ConnectionChange,
}

/// What a connection becomes; `None` stays as it is.
#[derive(Default)]
pub(crate) struct ConnectionChange {
    pub(crate) name: Option<String>,
    pub(crate) namespace_definition: Option<String>,
    pub(crate) namespace_format: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) catalog: Option<SyncCatalog>,
    pub(crate) source_catalog_id: Option<Uuid>,
    pub(crate) breaking_change: Option<bool>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) non_breaking_preference: Option<String>,
    pub(crate) backfill_preference: Option<String>,
    pub(crate) notify_schema_changes: Option<bool>,
    pub(crate) notify_schema_changes_by_email: Option<bool>,
    pub(crate) tags: Option<Vec<Uuid>>,
    /// Members that are only kept, by the Config API's names.
    pub(crate) shown: Map<String, Value>,
}

impl connection::Model {
    /// The configured catalog: selected streams only, schemas narrowed.
    pub(crate) fn catalog(&self) -> Result<SyncCatalog, Fault> {
        stored("catalog", &self.sync_catalog)
    }

    /// How the destination's streams are named.
    pub(crate) fn naming(&self) -> Naming {
        Naming {
            definition: self.namespace_definition.clone(),
            format: self.namespace_format.clone(),
            prefix: self.prefix.clone(),
        }
    }

    /// The schedule.
    pub(crate) fn schedule(&self) -> Result<Schedule, Fault> {
        let data = self.schedule_data.as_deref();
        Ok(Schedule {
            kind: self.schedule_type.clone(),
            data: data.map(|text| stored("schedule", text)).transpose()?,
        })
    }
}

impl Engine {
    /// A connection, also a deleted one, whose status is then `deprecated`.
    pub(crate) async fn connection(&self, id: Uuid) -> Result<connection::Model, Fault> {
        find(self.store.read(), id).await
    }

    /// Connections in the order they were made, only those that carry one of `tags` if any.
    pub(crate) async fn connection_list(
        &self,
        page: &Page,
        tags: &[Uuid],
    ) -> Result<Vec<connection::Model>, Fault> {
        let mut query = connection::Entity::find();
        if !tags.is_empty() {
            let carrying = connection_tag::Entity::find()
                .select_only()
                .column(connection_tag::Column::ConnectionId)
                .filter(connection_tag::Column::TagId.is_in(tags.iter().copied()))
                .into_query();
            query = query.filter(connection::Column::Id.in_subquery(carrying));
        }
        if !page.workspace_ids.is_empty() {
            let ids = page.workspace_ids.iter().copied();
            query = query.filter(connection::Column::WorkspaceId.is_in(ids));
        }
        if !page.include_deleted {
            query = query.filter(connection::Column::Status.ne("deprecated"));
        }
        Ok(query
            .order_by_asc(connection::Column::CreatedAt)
            .order_by_asc(connection::Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .all(self.store.read())
            .await?)
    }

    /// Makes a connection from a catalog that was already validated.
    pub(crate) async fn connection_create(
        &self,
        new: NewConnection,
    ) -> Result<connection::Model, Fault> {
        let catalog = configured(new.catalog)?;
        let transaction = self.store.write().await?;
        let source = live_actor(&transaction, ConnectorKind::Source, new.source_id).await?;
        let destination =
            live_actor(&transaction, ConnectorKind::Destination, new.destination_id).await?;
        let written = written_streams(&catalog, &new.naming)?;
        let id = Uuid::new_v4();
        let now = now_ms();
        let name = new
            .name
            .unwrap_or_else(|| format!("{} <> {}", source.name, destination.name));
        let row = connection::ActiveModel {
            id: Set(id),
            workspace_id: Set(source.workspace_id),
            name: Set(name),
            source_id: Set(source.id),
            destination_id: Set(destination.id),
            status: Set(new.status),
            sync_catalog: Set(to_json(&catalog)),
            written_streams: Set(to_json(&written)),
            namespace_definition: Set(new.naming.definition),
            namespace_format: Set(new.naming.format),
            prefix: Set(new.naming.prefix),
            schedule_type: Set(new.schedule.kind),
            schedule_data: Set(new.schedule.data.map(|data| data.to_string())),
            non_breaking_preference: Set(new.non_breaking_preference),
            backfill_preference: Set("disabled".to_owned()),
            source_catalog_id: Set(new.source_catalog_id),
            breaking_change: Set(false),
            notify_schema_changes: Set(false),
            notify_schema_changes_by_email: Set(false),
            shown: Set("{}".to_owned()),
            created_at: Set(now),
            updated_at: Set(now),
        }
        .insert(&transaction)
        .await?;
        tags::replace(&transaction, id, row.workspace_id, &new.tags).await?;
        let row = update_in(&transaction, id, new.further).await?;
        transaction.commit().await?;
        self.scheduler.poke();
        Ok(row)
    }

    /// Changes a connection. Nothing is reset or refreshed; a stream whose source mode changed
    /// loses its saved state.
    pub(crate) async fn connection_update(
        &self,
        id: Uuid,
        change: ConnectionChange,
    ) -> Result<connection::Model, Fault> {
        let transaction = self.store.write().await?;
        let row = update_in(&transaction, id, change).await?;
        transaction.commit().await?;
        self.scheduler.poke();
        Ok(row)
    }

    /// Deletes a connection: what runs is stopped, the row stays as `deprecated`.
    pub(crate) async fn connection_delete(&self, id: Uuid) -> Result<(), Fault> {
        let change = ConnectionChange {
            status: Some("deprecated".to_owned()),
            ..ConnectionChange::default()
        };
        self.connection_update(id, change).await?;
        self.jobs.give_up(id).await;
        self.jobs_cancel_waiting(id).await
    }
}

/// Changes a connection within a transaction.
pub(crate) async fn update_in(
    transaction: &DatabaseTransaction,
    id: Uuid,
    change: ConnectionChange,
) -> Result<connection::Model, Fault> {
    let catalog = change.catalog.map(configured).transpose()?;
    let row = find(transaction, id).await?;
    let before = row.catalog()?;
    let mut update = row.clone().into_active_model();
    macro_rules! set {
        ($($field:ident),*) => {
            $(if let Some(value) = change.$field { update.$field = Set(value); })*
        };
    }
    set!(
        name,
        namespace_definition,
        status,
        breaking_change,
        non_breaking_preference,
        backfill_preference,
        notify_schema_changes,
        notify_schema_changes_by_email
    );
    if let Some(format) = change.namespace_format {
        update.namespace_format = Set(Some(format));
    }
    if let Some(prefix) = change.prefix {
        update.prefix = Set(Some(prefix));
    }
    if let Some(id) = change.source_catalog_id {
        update.source_catalog_id = Set(Some(id));
    }
    if let Some(schedule) = change.schedule {
        update.schedule_type = Set(schedule.kind);
        update.schedule_data = Set(schedule.data.map(|data| data.to_string()));
    }
    if !change.shown.is_empty() {
        let mut shown: Map<String, Value> = stored("connection", &row.shown)?;
        shown.extend(change.shown);
        update.shown = Set(to_json(&shown));
    }
    if let Some(catalog) = &catalog {
        update.sync_catalog = Set(to_json(catalog));
        for changed in changed_modes(&before, catalog) {
            let key = stream_key(&changed);
            state_epochs::renew(transaction, id, &key).await?;
            connection_state::Entity::delete_by_id((id, key))
                .exec(transaction)
                .await?;
        }
    }
    update.updated_at = Set(now_ms());
    let row = update.update(transaction).await?;
    let written = written_streams(catalog.as_ref().unwrap_or(&before), &row.naming())?;
    if let Some(tags) = change.tags {
        tags::replace(transaction, id, row.workspace_id, &tags).await?;
    }
    let mut update = row.into_active_model();
    update.written_streams = Set(to_json(&written));
    let row = update.update(transaction).await?;
    Ok(row)
}

/// A connection by its id, deleted or not.
pub(crate) async fn find<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<connection::Model, Fault> {
    connection::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| Fault::not_found("connection", id))
}

/// A catalog as it is kept: selected streams only, schemas narrowed to the selected columns.
fn configured(catalog: SyncCatalog) -> Result<SyncCatalog, Fault> {
    let mut streams = Vec::with_capacity(catalog.streams.len());
    for mut entry in catalog.streams {
        if entry.config.selected != Some(true) {
            continue;
        }
        if entry.config.field_selection_enabled {
            entry.stream.json_schema =
                narrowed(&entry.stream.json_schema, &entry.config.selected_fields).map_err(
                    |error| {
                        Fault::Unprocessable(format!(
                            "the schema of stream {} is not a valid JSON schema: {error}",
                            entry.stream.name
                        ))
                    },
                )?;
        } else {
            entry.config.selected_fields.clear();
        }
        streams.push(entry);
    }
    Ok(SyncCatalog { streams })
}

/// The destination's names of all streams; two of the same name would overwrite each other.
fn written_streams(catalog: &SyncCatalog, naming: &Naming) -> Result<Vec<StreamDescriptor>, Fault> {
    let mut written: Vec<StreamDescriptor> = catalog
        .streams
        .iter()
        .map(|entry| naming.apply(&entry.stream.descriptor()))
        .collect();
    written.sort();
    if let Some(twice) = written.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(conflict(&twice[..1]));
    }
    Ok(written)
}

fn conflict(streams: &[StreamDescriptor]) -> Fault {
    let names: Vec<String> = streams.iter().map(ToString::to_string).collect();
    let streams: Vec<Value> = streams
        .iter()
        .map(|stream| json!({"streamName": stream.name, "streamNamespace": stream.namespace}))
        .collect();
    Fault::Typed {
        kind: "error:connection-conflicting-destination-stream",
        detail: format!(
            "these streams would be written by more than one stream of the destination: {}",
            names.join(", ")
        ),
        data: json!({ "streams": streams }),
    }
}

fn changed_modes(before: &SyncCatalog, after: &SyncCatalog) -> Vec<StreamDescriptor> {
    after
        .streams
        .iter()
        .filter(|new| {
            before.streams.iter().any(|old| {
                old.stream.descriptor() == new.stream.descriptor()
                    && old.config.sync_mode != new.config.sync_mode
            })
        })
        .map(|new| new.stream.descriptor())
        .collect()
}
