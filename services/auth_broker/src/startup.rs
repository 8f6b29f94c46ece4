//! From settings to a listening service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use futures::FutureExt as _;
use secrecy::ExposeSecret as _;
use shared::http::server::{self, Listening, Service, StartError};
use shared::http::{Gate, Runtime, health};
use shared::registry::Registry;
use shared::seal::SealingKey;
use shared::settings::{Settings, variables};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;

use crate::domain::environment::EnvironmentCredentials;
use crate::state::State;
use crate::store::Vault;
use crate::{openapi, routes};

/// How long flows under way may take to end when the service stops.
const DRAIN: Duration = Duration::from_secs(5);

/// The auth broker, listening.
pub struct Application {
    listening: Listening,
    state: State,
}

impl Application {
    /// Binds the port; nothing is answered before [`Application::run`].
    ///
    /// # Errors
    /// When the settings do not allow it or the port is taken.
    pub async fn build(
        settings: &Settings,
        registry: Registry,
        stopping: CancellationToken,
    ) -> Result<Self, StartError> {
        let root = settings.secret_key()?;
        let key = SealingKey::derive(root.expose_secret().as_bytes(), "aam/credentials/v1");
        let state = State {
            vault: Vault::new(registry.clone(), key),
            environment: Arc::new(EnvironmentCredentials::new(settings.salesforce.clone())),
            runtime: Runtime::current(stopping),
        };
        let data = Data::new(state.clone());
        let database = settings.broker_database.clone();
        let service = Service {
            name: "auth_broker",
            bind: (settings.bind_address.clone(), settings.ports.auth_broker),
            port_variable: variables::SERVICE_PORT_AUTH_BROKER,
            workers: 1,
            gate: Gate::new(settings, "auth_broker", &registry).await?,
            openapi: openapi::Document::openapi(),
            ready: Arc::new(move || {
                let registry = registry.clone();
                let database = database.clone();
                async move {
                    let mut all = vec![health::probe("registry", true, registry.ping()).await];
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// Serves until told to stop.
    ///
    /// # Errors
    /// When serving fails.
    pub async fn run(self) -> Result<(), StartError> {
        let Self { listening, state } = self;
        server::serve(listening, &state.runtime, DRAIN).await?;
        Ok(())
    }
}
