//! `/streams`: what a source offers, and with which modes a destination takes it.

use actix_web::{HttpRequest, HttpResponse};
use airbyte_protocol::{Catalog, DestinationSyncMode, SyncMode};
use http_server::routes::Routes;
use serde::Serialize;

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Query, Reply, Shared};
use crate::fault::{Fault, stored};
use crate::notation::{ApiStream, combined, property_paths};

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes.get("/streams", BEARER, list);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamProperties {
    stream_name: String,
    // Airbyte writes this one in lower case.
    #[serde(rename = "streamnamespace", skip_serializing_if = "Option::is_none")]
    stream_namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_modes: Option<Vec<&'static str>>,
    default_cursor_field: Vec<String>,
    source_defined_cursor_field: bool,
    source_defined_primary_key: Vec<Vec<String>>,
    property_fields: Vec<Vec<String>>,
}

/// The order that Airbyte lists modes in. `full_refresh_overwrite_deduped` is never listed,
/// though it can be set.
fn modes(stream: &ApiStream, destination: &[DestinationSyncMode]) -> Vec<&'static str> {
    use DestinationSyncMode::{Append, AppendDedup, Overwrite, SoftDelete, Update};
    use SyncMode::{FullRefresh, Incremental};
    [
        (FullRefresh, Append),
        (FullRefresh, Overwrite),
        (FullRefresh, Update),
        (FullRefresh, SoftDelete),
        (Incremental, Append),
        (Incremental, AppendDedup),
        (Incremental, Update),
        (Incremental, SoftDelete),
    ]
    .into_iter()
    .filter(|(source, target)| {
        stream.supported_sync_modes.contains(source) && destination.contains(target)
    })
    .filter_map(|(source, target)| combined(source, target))
    .collect()
}

async fn list(engine: Shared, request: HttpRequest) -> HttpResponse {
    let query = Query::of(&request);
    answer(engine, |engine| async move {
        let Some(source) = query.id("sourceId")? else {
            return Err(Fault::Constraint("sourceId is required".to_owned()));
        };
        let target = match query.id("destinationId")? {
            Some(destination) => Some(engine.destination_modes(destination).await?),
            None => None,
        };
        let (_, catalog) =
            super::connections::discovered(&engine, source, query.flag("ignoreCache")).await?;
        let catalog: Catalog = stored("catalog", &catalog)?;
        let mut answer = Vec::with_capacity(catalog.streams.len());
        for stream in catalog.streams {
            let stream = ApiStream::from(stream);
            let schema = stored("schema", stream.json_schema.get())?;
            answer.push(StreamProperties {
                sync_modes: target.as_ref().map(|target| modes(&stream, target)),
                stream_name: stream.name,
                stream_namespace: stream.namespace,
                default_cursor_field: stream.default_cursor_field,
                source_defined_cursor_field: stream.source_defined_cursor == Some(true),
                source_defined_primary_key: stream.source_defined_primary_key,
                property_fields: property_paths(&schema),
            });
        }
        Ok(Reply::json(&answer))
    })
    .await
}
