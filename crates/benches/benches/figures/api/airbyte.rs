//! An Airbyte that answers at once, so that what is measured is AAM's own.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::web::{Bytes, Data, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::Context as _;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

const WORKSPACE: &str = "00000000-0000-4000-8000-000000000001";
const DESTINATION: &str = "00000000-0000-4000-8000-000000000002";
const DEFINITION: &str = "00000000-0000-4000-8000-000000000003";
const CATALOG: &str = "00000000-0000-4000-8000-000000000004";

struct State {
    /// What every discover finds.
    catalog: Box<RawValue>,
    /// The configured catalogs, by connection.
    configured: Mutex<HashMap<String, Box<RawValue>>>,
    jobs: AtomicU64,
}

/// Starts it on a separate thread; returns its base URL.
pub(super) fn start(catalog: String) -> anyhow::Result<String> {
    let state = Data::new(State {
        catalog: RawValue::from_string(catalog).context("the catalog is not JSON")?,
        configured: Mutex::default(),
        jobs: AtomicU64::new(0),
    });
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(state.clone())
                    .app_data(web::PayloadConfig::new(64 << 20))
                    .route("/api/public/v1/sources", web::post().to(made_source))
                    .route(
                        "/api/public/v1/connections",
                        web::post().to(made_connection),
                    )
                    .route("/api/public/v1/jobs", web::post().to(made_job))
                    .route("/api/public/v1/jobs/{id}", web::get().to(job))
                    .route(
                        "/api/v1/sources/discover_schema",
                        web::post().to(discovered),
                    )
                    .route("/api/v1/connections/get", web::post().to(read))
                    .route("/api/v1/connections/update", web::post().to(updated))
                    .default_service(web::to(fixed))
            })
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")?;
            // The receiver is gone when the measurement is over.
            let _ = sender.send(server.addrs()[0]);
            server.run().await
        })
    });
    let address = address
        .recv()
        .context("the instant Airbyte did not start")?;
    Ok(format!("http://{address}"))
}

/// What does not depend on what was sent.
async fn fixed(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let answer = match path.rsplit("/v1").next().unwrap_or_default() {
        "/applications/token" => {
            json!({"access_token": "t", "token_type": "Bearer", "expires_in": 900})
        }
        "/health" => json!("Successful operation"),
        "/workspaces" => json!({"data": [{"workspaceId": WORKSPACE, "name": "w"}]}),
        "/destinations" => json!({"data": [destination()]}),
        "/connections" | "/sources" | "/jobs" => json!({"data": []}),
        "/streams" => json!([{"streamName": "s", "syncModes":
            ["full_refresh_overwrite", "full_refresh_append", "incremental_append", "incremental_deduped_history"]}]),
        "/sources/check_connection" => json!({"status": "succeeded"}),
        "/source_definition_specifications/get" => {
            json!({"connectionSpecification": {"type": "object"}})
        }
        rest if rest.starts_with("/destinations/") => destination(),
        rest if rest.ends_with("/definitions/sources") => json!({"data": [
            {"id": DEFINITION, "name": "Bench", "dockerRepository": "airbyte/source-bench", "dockerImageTag": "1"}]}),
        _ => json!({}),
    };
    HttpResponse::Ok().json(answer)
}

fn destination() -> Value {
    json!({"destinationId": DESTINATION, "name": "d", "workspaceId": WORKSPACE, "destinationType": "sqlite"})
}

async fn made_source() -> HttpResponse {
    HttpResponse::Ok()
        .json(json!({"sourceId": Uuid::new_v4(), "name": "s", "workspaceId": WORKSPACE}))
}

async fn made_connection(body: Bytes) -> HttpResponse {
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    HttpResponse::Ok().json(
        json!({"connectionId": Uuid::new_v4(), "sourceId": sent["sourceId"],
        "destinationId": DESTINATION, "name": "c", "status": "active"}),
    )
}

async fn made_job(state: Data<State>) -> HttpResponse {
    let id = state.jobs.fetch_add(1, Ordering::Relaxed) + 1;
    HttpResponse::Ok().json(json!({"jobId": id, "status": "running", "jobType": "sync"}))
}

async fn job(id: Path<u64>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"jobId": *id, "status": "succeeded", "jobType": "sync"}))
}

async fn discovered(state: Data<State>) -> HttpResponse {
    let body = format!(
        r#"{{"catalog":{},"catalogId":"{CATALOG}","jobInfo":{{"succeeded":true}}}}"#,
        state.catalog
    );
    HttpResponse::Ok()
        .content_type("application/json")
        .body(body)
}

async fn read(state: Data<State>, body: Bytes) -> HttpResponse {
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = sent["connectionId"].as_str().unwrap_or_default().to_owned();
    let configured = state.configured.lock().map(|all| all.get(&id).cloned());
    let configured = configured.ok().flatten();
    let catalog = configured.as_deref().unwrap_or(&state.catalog);
    HttpResponse::Ok()
        .content_type("application/json")
        .body(connection(&id, catalog))
}

async fn updated(state: Data<State>, body: Bytes) -> HttpResponse {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Update {
        connection_id: String,
        sync_catalog: Option<Box<RawValue>>,
    }
    let Ok(update) = serde_json::from_slice::<Update>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let answer = connection(&update.connection_id, &state.catalog);
    if let (Some(catalog), Ok(mut all)) = (update.sync_catalog, state.configured.lock()) {
        all.insert(update.connection_id, catalog);
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .body(answer)
}

fn connection(id: &str, catalog: &RawValue) -> String {
    format!(
        r#"{{"connectionId":"{id}","sourceId":"{CATALOG}","destinationId":"{DESTINATION}","status":"active","sourceCatalogId":"{CATALOG}","breakingChange":false,"syncCatalog":{catalog}}}"#
    )
}
