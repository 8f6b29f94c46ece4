//! The engine as a whole: built, listening, and serving until it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use connectors::hosts::AllowedHosts;
use http_server::connections::Connections;
use http_server::hosts;
use http_server::hosts::Hosts;
use http_server::routes::{Routes, TrailingSlash};
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::api::guard::Guard;
use crate::engine::Engine;
use crate::{Error, Options};

/// Seconds that open requests get to finish when the engine stops.
const SHUTDOWN_TIMEOUT_S: u64 = 5;

/// Connections at which a worker stops to accept.
const CONNECTIONS_PER_WORKER: usize = 25_000;

/// An embedded Airbyte, listening but not answering yet.
pub struct Application {
    engine: Arc<Engine>,
    server: Server,
    address: SocketAddr,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Application({})", self.address)
    }
}

impl Application {
    /// Opens the data directory, migrates its database, ends what a dead engine left running and
    /// binds the address. Must be called on the multi-thread tokio runtime that is to run
    /// connectors.
    ///
    /// # Errors
    /// When the engine would be open to other machines without a key, the data directory cannot be
    /// used or is in use, the database does not open, or the address cannot be bound.
    pub async fn build(options: Options) -> Result<Self, Error> {
        let (host, port) = options.bind.clone();
        if !options.has_key && !hosts::is_loopback(&host) {
            return Err(Error::Open(host));
        }
        if let Some(hosts) = &options.connector_hosts {
            AllowedHosts::parse(hosts).map_err(Error::ConnectorHosts)?;
        }
        let engine = Engine::open(&options).await?;
        let known = Hosts::new(&host, &options.allowed_hosts);
        let guard = Guard::new(known, options.requests_max);
        let shared = web::Data::from(engine.clone());
        let connections = Connections::by_open_files();
        let http = HttpServer::new(move || {
            let guard = guard.clone();
            App::new()
                .app_data(shared.clone())
                // The guard has read the body and bounded it by its route.
                .app_data(web::PayloadConfig::new(usize::MAX))
                .configure(move |app| {
                    let mut all = Routes::default();
                    all.configure(api::configure);
                    let unmatched = api::unmatched();
                    all.install(
                        app,
                        TrailingSlash::Same,
                        unmatched,
                        move |matched, request, next| guard.clone().pass(matched, request, next),
                    );
                })
        })
        .on_connect(move |io, data| connections.accepted(io, data))
        // Beyond what `Connections` keeps, so that none waits for another to end.
        .max_connections(CONNECTIONS_PER_WORKER)
        .client_request_timeout(Duration::from_secs(10))
        .workers(options.http_workers.max(1))
        .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
        .disable_signals()
        .bind((host.as_str(), port))
        .map_err(|source| Error::Bind {
            address: format!("{host}:{port}"),
            source,
        })?;
        let address = *http
            .addrs()
            .first()
            .expect("a bound server has at least one address");
        Ok(Self {
            engine,
            server: http.run(),
            address,
        })
    }

    /// Where it listens; the real port when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests and runs jobs until `stop` is cancelled. Then requests end, running
    /// connectors are stopped, and their jobs go on at the next start.
    ///
    /// # Errors
    /// When the HTTP server fails or the database cannot be read or closed.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), Error> {
        let Self { engine, server, .. } = self;
        let handle = server.handle();
        let mut server = tokio::spawn(server);
        if let Err(fault) = engine.jobs_resume().await {
            tracing::error!("unfinished jobs cannot be resumed: {}", fault.chain());
        }
        engine.spawn(engine.clone().schedule());
        let docker = engine.runner.docker.clone();
        engine.spawn(async move { docker.sweep().await });
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut server => Some(ended),
        };
        // Requests that wait for a connector end only when the connectors do.
        engine.jobs.stop.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => {
                handle.stop(true).await;
                server.await
            }
        };
        engine.jobs.shut_down().await;
        engine.store.close().await?;
        match ended {
            Ok(served) => served.map_err(Error::Serve),
            Err(error) => Err(Error::Serve(std::io::Error::other(error))),
        }
    }
}
