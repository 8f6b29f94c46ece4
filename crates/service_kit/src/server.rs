//! Serves HTTP with the same middleware, the same common paths and the same shutdown for every
//! service.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data, ReqData, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use contracts::{Caller, DependencyState, Readiness};
use futures::future::LocalBoxFuture;

use crate::access::Principal;
use crate::admission::admission;
use crate::docs;
use crate::docs::Document;
use crate::middleware;
use crate::middleware_state::MiddlewareState;
use crate::policy::{PROBE, Policy, VIEWER};
use crate::{health, openapi};
use http_server::connections::Connections;
use http_server::routes::{Declared, Routes, TrailingSlash};

/// How long requests in progress may take to complete on shutdown, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// Number of connections at which a worker stops accepting. [`Connections`] keeps the server below
/// it.
const CONNECTIONS_PER_WORKER: usize = 25_000;

/// Checks whether a service's dependencies respond.
pub type ReadyCheck = dyn Fn() -> LocalBoxFuture<'static, Vec<DependencyState>> + Send + Sync;

/// Why a service cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is in use or not permitted.
    #[error("{service} cannot listen on {address}: {source}; set {variable} to another port")]
    Bind {
        /// The service.
        service: &'static str,
        /// The address to listen on.
        address: String,
        /// The variable that configures the port.
        variable: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
}

/// Why a service does not start, or stopped unexpectedly.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Access control cannot be set up.
    #[error(transparent)]
    Access(#[from] crate::AccessError),
    /// A key is unavailable.
    #[error("a key of the data directory is unavailable")]
    Home(#[from] local::home::Error),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client")]
    Client(#[from] reqwest::Error),
    /// The registry does not respond.
    #[error(transparent)]
    Registry(#[from] shared::registry::Error),
    /// The port cannot be bound.
    #[error(transparent)]
    Bind(#[from] Error),
    /// Serving failed.
    #[error("serving failed")]
    Io(#[from] std::io::Error),
}

/// Configuration of a service.
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// The address to listen on.
    pub bind: (String, u16),
    /// The variable that configures its port.
    pub port_variable: &'static str,
    /// Number of worker threads.
    pub workers: usize,
    /// Its request middleware.
    pub gate: MiddlewareState,
    /// Its OpenAPI document.
    pub openapi: utoipa::openapi::OpenApi,
    /// Checks its dependencies.
    pub ready: std::sync::Arc<ReadyCheck>,
}

/// A service that listens but does not serve yet.
pub struct Listening {
    /// The server; it serves when awaited.
    pub server: Server,
    /// The bound address; with port 0, the actual port.
    pub address: SocketAddr,
}

/// All routes of a service: the common ones, then its own.
pub fn route_table(routes: fn(&mut Routes<Policy>)) -> Vec<Declared<Policy>> {
    let mut all = Routes::default();
    all.configure(|all| common(all, "")).configure(routes);
    all.table()
}

/// The paths that every service has.
fn common(routes: &mut Routes<Policy>, name: &'static str) {
    routes
        .get("/health", PROBE, move || async move { health_answer(name) })
        .get("/ready", PROBE, move |ready: Data<ReadyCheck>| {
            ready_answer(name, ready)
        })
        .get("/whoami", VIEWER, whoami_answer)
        .get("/metrics", VIEWER.uncounted(), metrics_answer)
        .configure(docs::configure);
}

/// Binds the service's port. `data` adds what handlers need, `routes` the service's own paths.
///
/// # Errors
/// Returns an error if the port cannot be bound.
pub fn listen(
    service: Service,
    data: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    routes: fn(&mut Routes<Policy>),
) -> Result<Listening, Error> {
    telemetry::metrics::install();
    crate::metrics::describe();
    let Service {
        name,
        bind,
        port_variable,
        workers,
        gate,
        openapi,
        ready,
    } = service;
    let document = openapi::complete(openapi);
    let gate = Data::new(gate);
    let ready: Data<ReadyCheck> = Data::from(ready);
    let connections = Connections::by_open_files();
    let server = HttpServer::new({
        let document = Data::new(Document::of(&document));
        move || {
            App::new()
                .app_data(gate.clone())
                .app_data(ready.clone())
                .app_data(document.clone())
                .wrap(from_fn(middleware::handle))
                .wrap(Compress::default())
                .configure(data.clone())
                .configure(|app| {
                    let mut all = Routes::default();
                    all.configure(|all| common(all, name)).configure(routes);
                    let nothing = web::to(HttpResponse::NotFound);
                    all.install(app, TrailingSlash::Distinct, nothing, admission);
                })
        }
    })
    .on_connect(move |io, data| connections.accepted(io, data))
    .workers(workers)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    // More than the server's own limit, so that no connection waits for another to end.
    .max_connections(CONNECTIONS_PER_WORKER)
    // For the head of a request; its body has a separate deadline.
    .client_request_timeout(Duration::from_secs(10))
    .disable_signals()
    .bind(bind.clone())
    .map_err(|source| Error::Bind {
        service: name,
        address: format!("{}:{}", bind.0, bind.1),
        variable: port_variable,
        source,
    })?;
    let address = server
        .addrs()
        .first()
        .copied()
        .expect("a bound server has an address");
    tracing::info!(service = name, %address, "listening");
    Ok(Listening {
        server: server.run(),
        address,
    })
}

/// Metrics that a service computes on demand for `/metrics`, in addition to its counters. Stored in
/// the application's data.
pub struct Scraped(pub std::sync::Arc<Scrape>);

/// Computes the metrics.
pub type Scrape = dyn Fn() -> LocalBoxFuture<'static, String> + Send + Sync;

/// Timeout; the other metrics are published without these.
const SCRAPE_PATIENCE: Duration = Duration::from_secs(5);

async fn metrics_answer(request: HttpRequest) -> HttpResponse {
    let mut more = String::new();
    if let Some(scraped) = request.app_data::<Data<Scraped>>() {
        let read = tokio::time::timeout(SCRAPE_PATIENCE, (scraped.0)());
        more = read.await.unwrap_or_default();
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(telemetry::metrics::render() + &more)
}

fn health_answer(name: &'static str) -> HttpResponse {
    HttpResponse::Ok().json(health::health(name))
}

/// Returns the identity that the service authenticated.
async fn whoami_answer(principal: ReqData<Principal>) -> HttpResponse {
    HttpResponse::Ok().json(Caller {
        name: principal.name().to_owned(),
        role: principal.role(),
    })
}

async fn ready_answer(name: &'static str, check: Data<ReadyCheck>) -> HttpResponse {
    let dependencies = check().await;
    let ready = dependencies
        .iter()
        .all(|dependency| dependency.ready || !dependency.required);
    let answer = Readiness {
        service: name.to_owned(),
        ready,
        dependencies,
    };
    if ready {
        HttpResponse::Ok().json(answer)
    } else {
        HttpResponse::ServiceUnavailable()
            .insert_header(("retry-after", "5"))
            .json(answer)
    }
}

/// Resolves when the process is asked to stop (SIGTERM, SIGINT).
///
/// # Errors
/// Returns an error if signals cannot be listened for.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}

/// Hands the operations that this process still holds over to another replica; the last action
/// before exiting.
pub async fn hand_over(registry: &shared::registry::Registry, owner: &str) {
    match registry.operations_hand_over(owner).await {
        Ok(0) => {}
        Ok(operations) => tracing::info!(operations, "handed over unfinished operations"),
        Err(error) => {
            tracing::warn!(
                %error,
                "failed to hand over unfinished operations; their leases will expire"
            );
        }
    }
}

/// Serves until the process shuts down: no new requests, those in progress completed, flows given
/// `patience` to end.
///
/// # Errors
/// Returns an error if serving fails.
pub async fn serve(
    listening: Listening,
    runtime: &crate::Runtime,
    patience: Duration,
) -> std::io::Result<()> {
    let handle = listening.server.handle();
    let stopping = runtime.stopping().clone();
    let stopper = tokio::spawn(async move {
        stopping.cancelled().await;
        handle.stop(true).await;
    });
    let served = listening.server.await;
    stopper.abort();
    runtime.drain(patience).await;
    served
}
