//! What the web app asks for: a connection with everything its source offers.

use actix_web::{HttpResponse, web};
use airbyte_protocol::StreamDescriptor;
use catalog::diff;
use http_server::routes::Routes;
use serde::Deserialize;

use super::answer;
use super::connection_views::web_backend_read;
use super::connections::{ConnectionId, Settings, change};
use crate::api::policy::{BEARER, LARGE, Policy};
use crate::api::{Reply, Shared, body};
use crate::engine::Engine;
use crate::fault::{Fault, to_json};
use crate::jobs::{FINAL, Refresh, RefreshMode, Work};
use crate::notation::SyncCatalog;
use crate::options::ConnectorKind;
use crate::schema_changes::parsed;
use crate::store::entities::connection;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/web_backend/connections/get", BEARER, get)
        .post("/web_backend/connections/update", LARGE, update);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Get {
    #[serde(flatten)]
    of: ConnectionId,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    with_refreshed_catalog: bool,
}

async fn get(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Get = body(&bytes)?;
        let id = asked.of.connection_id;
        let row = engine.connection(id).await?;
        if !asked.with_refreshed_catalog {
            return Ok(Reply::json(&web_backend_read(&engine, &row, None).await?));
        }
        let found = engine.discover(row.source_id, true).await?;
        // A source that does not respond is not an error here: the stored catalog is returned.
        let Some((catalog, text)) = found.catalog else {
            return Ok(Reply::json(&web_backend_read(&engine, &row, None).await?));
        };
        let noticed = engine.schema_notice(id, catalog).await?;
        let fresh = Some((catalog, text, noticed.diff));
        Ok(Reply::json(
            &web_backend_read(&engine, &noticed.row, fresh).await?,
        ))
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SkipReset {
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    skip_reset: bool,
}

async fn update(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let (target, skip): (ConnectionId, SkipReset) = (body(&bytes)?, body(&bytes)?);
        let asked: Settings = body(&bytes)?;
        let id = target.connection_id;
        let before = engine.connection(id).await?;
        let mut change = change(&engine, asked, before.destination_id).await?;
        let mut stale = Vec::new();
        if let Some(sent) = &change.catalog {
            change.breaking_change = breaks(&engine, &before, sent).await?;
            stale = changed(&before.catalog()?, sent);
        }
        let restarts = !skip.skip_reset && !stale.is_empty();
        if restarts {
            refuse_while_running(&engine, &before).await?;
        }
        let row = engine.connection_update(id, change).await?;
        if restarts && row.status == "active" {
            start_over(&engine, &row, stale).await?;
        }
        Ok(Reply::json(&web_backend_read(&engine, &row, None).await?))
    })
    .await
}

/// Whether the source, as it was seen last, breaks the catalog that was sent.
async fn breaks(
    engine: &Engine,
    row: &connection::Model,
    sent: &SyncCatalog,
) -> Result<Option<bool>, Fault> {
    let Some(latest) = engine.latest_catalog(row.source_id).await? else {
        return Ok(None);
    };
    let sent = parsed(&to_json(sent))?;
    let diff = diff::airbyte(&sent, &parsed(&latest.catalog)?, &sent);
    Ok(Some(diff.is_breaking()))
}

/// Streams that were copied before and are copied differently from now on.
fn changed(before: &SyncCatalog, after: &SyncCatalog) -> Vec<StreamDescriptor> {
    let selected = after.streams.iter();
    selected
        .filter(|new| new.config.selected == Some(true))
        .filter(|new| {
            before.streams.iter().any(|old| {
                let (a, b) = (&old.config, &new.config);
                old.stream.descriptor() == new.stream.descriptor()
                    && (a.sync_mode != b.sync_mode
                        || a.destination_sync_mode != b.destination_sync_mode
                        || a.cursor_field != b.cursor_field
                        || a.primary_key != b.primary_key
                        || a.field_selection_enabled != b.field_selection_enabled
                        || a.selected_fields != b.selected_fields
                        || (!a.field_selection_enabled
                            && old.stream.json_schema.get() != new.stream.json_schema.get()))
            })
        })
        .map(|new| new.stream.descriptor())
        .collect()
}

async fn refuse_while_running(engine: &Engine, row: &connection::Model) -> Result<(), Fault> {
    match engine.latest_job(row.id).await? {
        Some(job) if !FINAL.contains(&job.status.as_str()) => Err(Fault::TryAgainLater(format!(
            "A sync is already running for: {}",
            row.id
        ))),
        _ => Ok(()),
    }
}

async fn start_over(
    engine: &std::sync::Arc<Engine>,
    row: &connection::Model,
    streams: Vec<StreamDescriptor>,
) -> Result<(), Fault> {
    let destination = engine
        .actor(ConnectorKind::Destination, row.destination_id)
        .await?;
    let definition = engine
        .definitions
        .get(ConnectorKind::Destination, destination.definition_id)?;
    let work = if definition.supports_refreshes {
        Work::Refresh(Refresh {
            mode: RefreshMode::Merge,
            streams,
        })
    } else {
        Work::Clear(streams)
    };
    engine.job_start(row.id, work).await?;
    Ok(())
}
