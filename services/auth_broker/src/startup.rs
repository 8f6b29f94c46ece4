//! Starts the service from its settings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use contracts::ErrorCode;
use futures::FutureExt as _;
use local::seal::SealingKey;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::server;
use service_kit::server::{Listening, Service, StartError};
use service_kit::{MiddlewareState, Runtime, health};
use settings::{Settings, variables};
use shared::registry::Registry;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;

use crate::domain::environment::EnvironmentCredentials;
use crate::state::State;
use crate::store::{KeyError, Vault};
use crate::{openapi, routes, store};

/// How long running flows may take to complete when the service stops.
const DRAIN: Duration = Duration::from_secs(5);

/// The auth broker, listening.
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
        let vault = Vault::new(registry.clone(), sealing_key(&settings.secret_key()?));
        // Start anyway: what the lost key sealed can only be deleted through this service.
        if let Err(error @ KeyError::Changed { .. }) = vault.check_key().await {
            tracing::error!(code = ErrorCode::SecretKeyChanged.as_str(), "{error}");
        }
        let probed = vault.clone();
        let state = State {
            vault,
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
            gate: MiddlewareState::new(settings, "auth_broker", &registry).await?,
            openapi: openapi::Document::openapi(),
            ready: Arc::new(move || {
                let (registry, vault) = (registry.clone(), probed.clone());
                let database = database.clone();
                async move {
                    let registry = health::probe("registry", true, registry.ping()).await;
                    // Report one fault only once.
                    let mut all = vec![registry];
                    if all[0].ready {
                        all.push(health::probe("secret_key", true, vault.check_key()).await);
                    }
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

    /// Serves until asked to stop.
    ///
    /// # Errors
    /// Returns an error if serving fails.
    pub async fn run(self) -> Result<(), StartError> {
        let Self { listening, state } = self;
        server::serve(listening, &state.runtime, DRAIN).await?;
        Ok(())
    }
}

/// Checks whether the SECRET_KEY of `settings` is the one that sealed the registry's secrets;
/// succeeds if no key is available.
///
/// # Errors
/// Returns a [`KeyError`] that names what was sealed with another key, or why this cannot be
/// determined.
pub async fn check_key(settings: &Settings) -> Result<(), KeyError> {
    let Ok(Some(root)) = settings.secret_key_at_hand() else {
        return Ok(());
    };
    let registry = Registry::connect(&settings.broker_database, settings.pooler)?;
    let checked = store::check_key(&registry, &sealing_key(&root)).await;
    registry.close().await;
    checked
}

fn sealing_key(root: &SecretString) -> SealingKey {
    SealingKey::derive(root.expose_secret().as_bytes(), "aam/credentials/v1")
}
