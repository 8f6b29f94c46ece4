//! Diffs between catalogs, and taking them over.

use actix_web::{HttpResponse, web};
use catalog::SyncCatalog;
use catalog::diff::{self, SchemaChange};
use catalog::propagate;
use http_server::routes::Routes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use crate::actors::Page;
use crate::api::policy::{LARGE, Policy};
use crate::api::{Reply, Shared, body};
use crate::fault::stored;
use crate::options::ConnectorKind;
use crate::schema_changes::parsed;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/catalogs/diff", LARGE, compare)
        .post(
            "/connections/postprocess_discovered_catalog",
            LARGE,
            postprocess,
        )
        .post("/sources/apply_schema_changes", LARGE, apply_all);
    // The document has the plural, the server the singular.
    for path in ["apply_schema_change", "apply_schema_changes"] {
        routes.post(&format!("/connections/{path}"), LARGE, apply);
    }
}

#[derive(Deserialize)]
struct Compare {
    current_catalog_id: Uuid,
    new_catalog_id: Uuid,
    connection_id: Option<Uuid>,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    persist_changes: bool,
}

#[derive(Serialize)]
struct Compared {
    catalog_diff: diff::CatalogDiff,
    schema_change: SchemaChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_catalog: Option<Box<RawValue>>,
}

async fn compare(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Compare = body(&bytes)?;
        let current = parsed(&engine.catalog_text(asked.current_catalog_id).await?)?;
        let new = parsed(&engine.catalog_text(asked.new_catalog_id).await?)?;
        let configured = match asked.connection_id {
            Some(id) => Some(parsed(&engine.connection(id).await?.sync_catalog)?),
            None => None,
        };
        // Without a connection nothing is configured, so only whole streams can differ.
        let none = SyncCatalog::default();
        let catalog_diff = diff::airbyte(&current, &new, configured.as_ref().unwrap_or(&none));
        let merged_catalog = match &configured {
            Some(configured) => {
                let merged = propagate::merge(configured, &current, &new).to_config_api();
                Some(stored("catalog", &merged)?)
            }
            None => None,
        };
        if let (Some(id), true) = (asked.connection_id, asked.persist_changes) {
            engine.schema_notice(id, asked.new_catalog_id).await?;
        }
        Ok(Reply::json(&Compared {
            schema_change: catalog_diff.schema_change(),
            catalog_diff,
            merged_catalog,
        }))
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Apply {
    catalog: Box<RawValue>,
    catalog_id: Uuid,
    connection_id: Uuid,
    workspace_id: Uuid,
}

async fn apply(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Apply = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        let applied = engine
            .schema_apply(
                asked.connection_id,
                asked.catalog_id,
                Some(asked.catalog.get()),
            )
            .await?;
        Ok(Reply::json(&json!({ "propagatedDiff": applied })))
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApplyAll {
    catalog: Box<RawValue>,
    catalog_id: Uuid,
    source_id: Uuid,
    workspace_id: Uuid,
}

async fn apply_all(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ApplyAll = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        let source = engine.actor(ConnectorKind::Source, asked.source_id).await?;
        let page = Page {
            workspace_ids: vec![source.workspace_id],
            include_deleted: false,
            limit: i64::MAX.unsigned_abs(),
            offset: 0,
        };
        let all = engine.connection_list(&page, &[]).await?;
        for connection in all.iter().filter(|one| one.source_id == source.id) {
            let given = Some(asked.catalog.get());
            engine
                .schema_apply(connection.id, asked.catalog_id, given)
                .await?;
        }
        Ok(Reply::Nothing)
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Postprocess {
    catalog_id: Uuid,
    connection_id: Uuid,
}

/// Whichever catalog is named, the source's most recent one is what counts.
async fn postprocess(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Postprocess = body(&bytes)?;
        let row = engine.connection(asked.connection_id).await?;
        engine.catalog_text(asked.catalog_id).await?;
        let latest = engine.latest_catalog(row.source_id).await?;
        let id = latest.map_or(asked.catalog_id, |latest| latest.id);
        let applied = engine.schema_apply(row.id, id, None).await?;
        let read: Value = json!({ "appliedDiff": applied });
        Ok(Reply::json(&read))
    })
    .await
}
