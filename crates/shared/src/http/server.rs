//! Serving: the same order of middleware, the same common paths and the same way to stop for every
//! service.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data, ReqData, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use contracts::{Caller, DependencyState, Readiness};
use futures::future::LocalBoxFuture;

use super::access::Principal;
use super::admission::admission;
use super::connections::Connections;
use super::docs::{self, Document};
use super::gate::Gate;
use super::guard::guard;
use super::policy::{PROBE, Policy, VIEWER};
use super::routes::{Declared, Routes, TrailingSlash};
use super::{health, metrics, openapi};

/// How long requests under way may take to end when the service stops, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// Connections at which a worker stops to accept. [`Connections`] keeps the server below it.
const CONNECTIONS_PER_WORKER: usize = 25_000;

/// Asks a service's dependencies whether they answer.
pub type ReadyCheck = dyn Fn() -> LocalBoxFuture<'static, Vec<DependencyState>> + Send + Sync;

/// Why a service cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken or not allowed.
    #[error("{service} cannot listen on {address}: {source}; {variable} chooses another port")]
    Bind {
        /// The service.
        service: &'static str,
        /// Where it was to listen.
        address: String,
        /// The variable that holds the port.
        variable: &'static str,
        /// The operating system's words.
        source: std::io::Error,
    },
}

/// Why a service does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Who may call is not settled.
    #[error(transparent)]
    Access(#[from] super::AccessError),
    /// A key cannot be had.
    #[error("a key of the data directory cannot be had")]
    Home(#[from] local::home::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] crate::registry::Error),
    /// The port cannot be bound.
    #[error(transparent)]
    Bind(#[from] Error),
    /// Serving failed.
    #[error("serving failed")]
    Io(#[from] std::io::Error),
}

/// What a service serves.
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// Where it listens.
    pub bind: (String, u16),
    /// The variable that holds its port.
    pub port_variable: &'static str,
    /// Threads that answer.
    pub workers: usize,
    /// Who may call, and how.
    pub gate: Gate,
    /// Its OpenAPI document.
    pub openapi: utoipa::openapi::OpenApi,
    /// Asks its dependencies.
    pub ready: std::sync::Arc<ReadyCheck>,
}

/// A service that listens and does not serve yet.
pub struct Listening {
    /// The server; it serves when awaited.
    pub server: Server,
    /// Where it listens; with port 0, which one it got.
    pub address: SocketAddr,
}

/// Every route of a service: the common ones, then its own.
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
/// When the port cannot be bound.
pub fn listen(
    service: Service,
    data: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    routes: fn(&mut Routes<Policy>),
) -> Result<Listening, Error> {
    metrics::install();
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
                .wrap(from_fn(guard))
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
    // Beyond what the server holds, so that none waits for another to end.
    .max_connections(CONNECTIONS_PER_WORKER)
    // The head of a request; its body has a deadline of its own.
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

/// What a service tells on `/metrics` beside what it counted, read when it is asked for. Put into
/// the application's data.
pub struct Scraped(pub std::sync::Arc<Scrape>);

/// Reads what is told.
pub type Scrape = dyn Fn() -> LocalBoxFuture<'static, String> + Send + Sync;

/// How long it may take; without it the rest is told.
const SCRAPE_PATIENCE: Duration = Duration::from_secs(5);

async fn metrics_answer(request: HttpRequest) -> HttpResponse {
    let mut more = String::new();
    if let Some(scraped) = request.app_data::<Data<Scraped>>() {
        let read = tokio::time::timeout(SCRAPE_PATIENCE, (scraped.0)());
        more = read.await.unwrap_or_default();
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(metrics::render() + &more)
}

fn health_answer(name: &'static str) -> HttpResponse {
    HttpResponse::Ok().json(health::health(name))
}

/// Whom the service takes its caller for.
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

/// Resolves when the process is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// When signals cannot be listened for.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}

/// Hands the operations that are still held over to another replica; the last thing before the end.
pub async fn hand_over(registry: &crate::registry::Registry, owner: &str) {
    match registry.operations_hand_over(owner).await {
        Ok(0) => {}
        Ok(operations) => tracing::info!(operations, "handed over what was under way"),
        Err(error) => {
            tracing::warn!(%error, "could not hand over what was under way; its leases run out by themselves");
        }
    }
}

/// Serves until the process is to stop: no new requests, those under way answered, flows given
/// `patience` to end.
///
/// # Errors
/// When serving fails.
pub async fn serve(
    listening: Listening,
    runtime: &super::Runtime,
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
