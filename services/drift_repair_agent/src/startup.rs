//! Starts the service from its settings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use futures::FutureExt as _;
use service_kit::server;
use service_kit::server::{Listening, Service, StartError};
use service_kit::{MiddlewareState, Runtime, health};
use settings::{Settings, variables};
use shared::airbyte::Airbyte;
use shared::registry::Registry;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use uuid::Uuid;

use crate::state::State;
use crate::{flows, openapi, routes};

/// How long running flows may take to complete when the service stops.
const DRAIN: Duration = Duration::from_secs(15);

/// The drift-repair agent, listening.
pub struct Application {
    listening: Listening,
    state: State,
}

impl Application {
    /// Binds the port; [`Application::run`] starts responding.
    ///
    /// # Errors
    /// Returns an error if the settings do not allow it or the port is taken.
    pub async fn build(
        settings: &Settings,
        registry: Registry,
        stopping: CancellationToken,
    ) -> Result<Self, StartError> {
        let airbyte = Airbyte::with_timeout(
            settings.airbyte.urls.clone(),
            settings.airbyte_client()?,
            settings.airbyte.http()?,
            settings.http_timeout,
        );
        let state = State {
            registry,
            airbyte,
            runtime: Runtime::current(stopping),
            owner: format!("drift_repair_agent/{}", Uuid::now_v7()).into(),
        };
        let data = Data::new(state.clone());
        let probed = state.clone();
        let database = settings.database.clone();
        let service = Service {
            name: "drift_repair_agent",
            bind: (settings.bind_address.clone(), settings.ports.drift_repair),
            port_variable: variables::SERVICE_PORT_DRIFT_REPAIR,
            workers: 1,
            gate: MiddlewareState::new(settings, "drift_repair_agent", &state.registry).await?,
            openapi: openapi::Document::openapi(),
            ready: Arc::new(move || {
                let state = probed.clone();
                let database = database.clone();
                async move {
                    let probes = futures::join!(
                        health::probe("registry", true, state.registry.ping()),
                        health::probe_called("airbyte", true, state.airbyte.ready(), || {
                            state.airbyte.circuit()
                        }),
                    );
                    let mut all = vec![probes.0, probes.1];
                    all.extend(health::probe_disk(&database).await);
                    all
                }
                .boxed_local()
            }),
        };
        let data = move |app: &mut ServiceConfig| {
            app.app_data(data.clone());
        };
        let listening = server::listen(service, data, routes::configure)?;
        Ok(Self { listening, state })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// Serves and works until asked to stop.
    ///
    /// # Errors
    /// Returns an error if serving fails.
    pub async fn run(self) -> Result<(), StartError> {
        let Self { listening, state } = self;
        let runtime = state.runtime.clone();
        let (registry, owner) = (state.registry.clone(), Arc::clone(&state.owner));
        let worker = tokio::spawn(flows::worker::run(state));
        server::serve(listening, &runtime, DRAIN).await?;
        worker.abort();
        let _ = worker.await;
        server::hand_over(&registry, &owner).await;
        Ok(())
    }
}
