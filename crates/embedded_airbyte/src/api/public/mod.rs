//! The public API, `/api/public/v1`.

mod actors;
mod applications;
mod community;
mod connections;
mod declarative;
mod definitions;
mod jobs;
mod streams;
mod tags;
mod workspaces;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use http_server::routes::Routes;
use serde::Serialize;

use super::{Reply, Shared, problem, token};
use crate::actors::Page;
use crate::api::policy::{PROBE, Policy, TOKEN};
use crate::engine::Engine;
use crate::fault::Fault;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/health", PROBE, health)
        .post("/applications/token", TOKEN, token::public)
        .configure(workspaces::configure)
        .configure(applications::configure)
        .configure(declarative::configure)
        .configure(definitions::configure)
        .configure(actors::configure)
        .configure(connections::configure)
        .configure(jobs::configure)
        .configure(streams::configure)
        .configure(tags::configure)
        .configure(community::configure);
}

async fn health(engine: Shared) -> HttpResponse {
    answer(engine, |engine| async move {
        let page = Page {
            workspace_ids: Vec::new(),
            include_deleted: true,
            limit: 1,
            offset: 0,
        };
        engine.workspace_list(&page).await?;
        Ok(Reply::Text("Successful operation"))
    })
    .await
}

/// Does the work on the engine's runtime and words its failure as a problem.
async fn answer<F, W>(engine: Shared, work: W) -> HttpResponse
where
    W: FnOnce(Arc<Engine>) -> F,
    F: Future<Output = Result<Reply, Fault>> + Send + 'static,
{
    let engine = engine.into_inner();
    match engine.run(work(engine.clone())).await {
        Ok(reply) => reply.into_response(),
        Err(fault) => problem::public(&fault),
    }
}

/// The base that `next` and `previous` are built on.
fn base(request: &HttpRequest) -> String {
    let engine = request.app_data::<Shared>();
    if let Some(host) = engine.and_then(|engine| engine.hostility.link_host()) {
        return format!("{host}{}", request.path());
    }
    let connection = request.connection_info();
    format!(
        "{}://{}{}",
        connection.scheme(),
        connection.host(),
        request.path()
    )
}

#[derive(Serialize)]
struct Envelope<T> {
    previous: String,
    next: String,
    data: Vec<T>,
}

/// A page of a list. `next` is there whenever the page is not empty, also on the last one.
fn envelope<T: Serialize>(base: &str, page: &Page, data: Vec<T>) -> Reply {
    filtered_envelope(base, page, &[], data)
}

/// Like [`envelope`], with the filters that links repeat; Airbyte forgets some.
fn filtered_envelope<T: Serialize>(
    base: &str,
    page: &Page,
    filters: &[(&str, String)],
    data: Vec<T>,
) -> Reply {
    let link = |offset: u64| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !page.workspace_ids.is_empty() {
            let ids: Vec<String> = page.workspace_ids.iter().map(ToString::to_string).collect();
            query.append_pair("workspaceIds", &ids.join(","));
        }
        for (name, value) in filters {
            query.append_pair(name, value);
        }
        if page.include_deleted {
            query.append_pair("includeDeleted", "true");
        }
        query.append_pair("limit", &page.limit.to_string());
        query.append_pair("offset", &offset.to_string());
        format!("{base}?{}", query.finish())
    };
    let next = if data.is_empty() {
        String::new()
    } else {
        link(page.offset + page.limit)
    };
    let previous = match page.offset {
        0 => String::new(),
        offset => link(offset.saturating_sub(page.limit)),
    };
    Reply::json(&Envelope {
        previous,
        next,
        data,
    })
}
