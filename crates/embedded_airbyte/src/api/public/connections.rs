//! `/connections`.

use actix_web::{HttpRequest, HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{answer, base, envelope};
use crate::api::policy::{BEARER, LARGE, Policy};
use crate::api::{Query, Reply, Shared, body, id};
use crate::connections::{ConnectionChange, NewConnection};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::naming::Naming;
use crate::notation::{SyncCatalog, with_suggestions};
use crate::schedule::Schedule;
use crate::selection::{self, StreamSelection};
use crate::store::entities::connection;
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/connections", BEARER, list)
        .post("/connections", LARGE.making_something(), create)
        .get("/connections/{id}", BEARER, get)
        .patch("/connections/{id}", LARGE, patch)
        .delete("/connections/{id}", BEARER, delete);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    source_id: Uuid,
    destination_id: Uuid,
    #[serde(flatten)]
    common: Common,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    name: Option<String>,
    configurations: Option<Configurations>,
    schedule: Option<PublicSchedule>,
    namespace_definition: Option<String>,
    namespace_format: Option<String>,
    prefix: Option<String>,
    non_breaking_schema_updates_behavior: Option<String>,
    status: Option<String>,
    tags: Option<Vec<TagRef>>,
}

/// Callers send the whole tag; its id identifies it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagRef {
    tag_id: Uuid,
}

#[derive(Deserialize)]
struct Configurations {
    streams: Option<Vec<StreamSelection>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicSchedule {
    schedule_type: String,
    cron_expression: Option<String>,
}

impl Common {
    fn streams(&mut self) -> Option<Vec<StreamSelection>> {
        let streams = self.configurations.take()?.streams?;
        (!streams.is_empty()).then_some(streams)
    }

    fn schedule(&self) -> Result<Option<Schedule>, Fault> {
        let Some(schedule) = &self.schedule else {
            return Ok(None);
        };
        match (schedule.schedule_type.as_str(), &schedule.cron_expression) {
            ("manual", _) => Ok(Some(Schedule::manual())),
            ("cron", Some(expression)) => Schedule::public_cron(expression).map(Some),
            ("cron", None) => Err(Fault::Typed {
                kind: "error:cron-validation/missing-cron-data",
                detail: "cronExpression is required when scheduleType is cron".to_owned(),
                data: json!({}),
            }),
            (other, _) => Err(Fault::Unprocessable(format!(
                "{other} is not a scheduleType that can be set: manual or cron"
            ))),
        }
    }

    /// The Config API's word for what happens on harmless drift.
    fn preference(&self) -> Result<Option<String>, Fault> {
        let Some(word) = self.non_breaking_schema_updates_behavior.as_deref() else {
            return Ok(None);
        };
        match word {
            "disable_connection" => Ok(Some("disable".to_owned())),
            "ignore" | "propagate_columns" | "propagate_fully" => Ok(Some(word.to_owned())),
            _ => Err(Fault::Unprocessable(format!(
                "{word} is not a nonBreakingSchemaUpdatesBehavior"
            ))),
        }
    }

    fn namespace_definition(&self) -> Result<Option<String>, Fault> {
        let Some(word) = self.namespace_definition.as_deref() else {
            return Ok(None);
        };
        match word {
            "custom_format" => Ok(Some("customformat".to_owned())),
            "source" | "destination" => Ok(Some(word.to_owned())),
            _ => Err(Fault::Unprocessable(format!(
                "{word} is not a namespaceDefinition"
            ))),
        }
    }

    fn tags(&self) -> Option<Vec<Uuid>> {
        let tags = self.tags.as_ref()?;
        Some(tags.iter().map(|tag| tag.tag_id).collect())
    }

    fn status(&self) -> Result<Option<String>, Fault> {
        match self.status.as_deref() {
            None => Ok(None),
            Some(word @ ("active" | "inactive" | "deprecated" | "locked")) => {
                Ok(Some(word.to_owned()))
            }
            Some(word) => Err(Fault::Unprocessable(format!("{word} is not a status"))),
        }
    }
}

fn view(row: &connection::Model, tags: Vec<Value>) -> Result<Value, Fault> {
    let preference = match row.non_breaking_preference.as_str() {
        "disable" => "disable_connection",
        other => other,
    };
    let definition = match row.namespace_definition.as_str() {
        "customformat" => "custom_format",
        other => other,
    };
    let mut view = json!({
        "connectionId": row.id,
        "name": row.name,
        "sourceId": row.source_id,
        "destinationId": row.destination_id,
        "workspaceId": row.workspace_id,
        "status": row.status,
        "schedule": row.schedule()?.public(),
        "nonBreakingSchemaUpdatesBehavior": preference,
        "namespaceDefinition": definition,
        "configurations": {"streams": selection::listed(row.catalog()?)},
        "createdAt": seconds(row.created_at),
        "tags": tags,
    });
    if let Some(format) = &row.namespace_format {
        view["namespaceFormat"] = json!(format);
    }
    if let Some(prefix) = &row.prefix {
        view["prefix"] = json!(prefix);
    }
    Ok(view)
}

async fn one(engine: &Engine, row: &connection::Model) -> Result<Reply, Fault> {
    let mut tags = engine.connection_tags(&[row.id]).await?;
    let tags = tags.remove(&row.id).unwrap_or_default();
    Ok(Reply::json(&view(row, tags)?))
}

/// The source's discovered catalog and its id; a connector that fails is Airbyte's problem.
pub(super) async fn discovered(
    engine: &Engine,
    source: Uuid,
    fresh: bool,
) -> Result<(Uuid, String), Fault> {
    let discovery = engine.discover(source, fresh).await?;
    discovery.catalog.ok_or_else(|| {
        let failure = discovery.job.failure;
        let why = failure.map_or_else(String::new, |failure| failure.external_message);
        Fault::Unexpected(format!(
            "Something went wrong in the connector. logs:{why} {}",
            discovery.job.log.join("\n")
        ))
    })
}

async fn suggested(engine: &Engine, source: Uuid) -> Result<(Uuid, SyncCatalog), Fault> {
    let (id, text) = discovered(engine, source, false).await?;
    Ok((id, with_suggestions(stored("catalog", &text)?)))
}

async fn list(engine: Shared, request: HttpRequest) -> HttpResponse {
    let (query, base) = (Query::of(&request), base(&request));
    answer(engine, |engine| async move {
        let page = query.page()?;
        let rows = engine.connection_list(&page, &query.ids("tagIds")?).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut tags = engine.connection_tags(&ids).await?;
        let data: Result<Vec<_>, _> = rows
            .iter()
            .map(|row| view(row, tags.remove(&row.id).unwrap_or_default()))
            .collect();
        Ok(envelope(&base, &page, data?))
    })
    .await
}

async fn create(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let Create {
            source_id,
            destination_id,
            mut common,
        } = body(&bytes)?;
        let schedule = common.schedule()?.unwrap_or_else(Schedule::manual);
        let preference = common.preference()?.unwrap_or_else(|| "ignore".to_owned());
        let definition = common.namespace_definition()?;
        let status = common.status()?.unwrap_or_else(|| "active".to_owned());
        let tags = common.tags().unwrap_or_default();
        let modes = engine.destination_modes(destination_id).await?;
        let (source_catalog_id, discovered) = suggested(&engine, source_id).await?;
        let catalog = match common.streams() {
            Some(streams) => selection::select(&discovered, streams, &modes)?,
            None => selection::everything(discovered),
        };
        let row = engine
            .connection_create(NewConnection {
                name: common.name,
                source_id,
                destination_id,
                status,
                catalog,
                source_catalog_id: Some(source_catalog_id),
                naming: Naming {
                    definition: definition.unwrap_or_else(|| "destination".to_owned()),
                    format: common.namespace_format,
                    prefix: Some(common.prefix.unwrap_or_default()),
                },
                schedule,
                non_breaking_preference: preference,
                tags,
                further: ConnectionChange::default(),
            })
            .await?;
        one(&engine, &row).await
    })
    .await
}

async fn get(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        let row = engine.connection(id(&path)?).await?;
        one(&engine, &row).await
    })
    .await
}

async fn patch(engine: Shared, path: web::Path<String>, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let id = id(&path)?;
        let mut sent: Common = body(&bytes)?;
        let row = engine.connection(id).await?;
        if row.status == "locked" {
            return Err(Fault::Typed {
                kind: "error:connection/locked",
                detail: format!("connection {id} is locked"),
                data: json!({"connectionId": id}),
            });
        }
        let mut change = ConnectionChange {
            schedule: sent.schedule()?,
            non_breaking_preference: sent.preference()?,
            namespace_definition: sent.namespace_definition()?,
            status: sent.status()?,
            tags: sent.tags(),
            ..ConnectionChange::default()
        };
        if let Some(streams) = sent.streams() {
            // A new list is read against the newest catalog that is known, and accepts it.
            let modes = engine.destination_modes(row.destination_id).await?;
            let (catalog_id, discovered) = suggested(&engine, row.source_id).await?;
            change.catalog = Some(selection::select(&discovered, streams, &modes)?);
            change.source_catalog_id = Some(catalog_id);
        }
        change.name = sent.name;
        change.namespace_format = sent.namespace_format;
        change.prefix = sent.prefix;
        let row = engine.connection_update(id, change).await?;
        one(&engine, &row).await
    })
    .await
}

async fn delete(engine: Shared, path: web::Path<String>) -> HttpResponse {
    answer(engine, |engine| async move {
        engine.connection_delete(id(&path)?).await?;
        Ok(Reply::Nothing)
    })
    .await
}
