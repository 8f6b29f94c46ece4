#![doc = include_str!("../README.md")]

pub mod sample;

pub use auth_broker::{KeyError, check_key};

use std::net::SocketAddr;
use std::path::PathBuf;

use local::home::StackLock;
use service_kit::server::StartError;
use settings::{AirbyteUrls, Settings};
use shared::registry::{self, Registry};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Why the stack does not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used, or another stack uses it.
    #[error(transparent)]
    Home(#[from] local::home::Error),
    /// The registry cannot be opened or brought up to date.
    #[error("the registry cannot be opened")]
    Registry(#[from] registry::Error),
    /// The embedded Airbyte does not start.
    #[error("the embedded Airbyte does not start")]
    Airbyte(#[from] embedded_airbyte::Error),
    /// The orchestrator does not start.
    #[error("the orchestrator does not start")]
    Orchestrator(#[source] StartError),
    /// The auth broker does not start.
    #[error("the auth broker does not start")]
    AuthBroker(#[source] StartError),
    /// The drift-repair agent does not start.
    #[error("the drift-repair agent does not start")]
    DriftRepair(#[source] StartError),
    /// A service stopped by itself.
    #[error("{0} stopped by itself")]
    Stopped(&'static str),
    /// This program's own path is not known, so that it cannot run connectors.
    #[error("this program's own path is not known")]
    Program(#[source] std::io::Error),
    /// A service crashed.
    #[error("a service crashed")]
    Crashed(#[from] tokio::task::JoinError),
}

/// Where the services of a stack listen.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The orchestrator.
    pub orchestrator: Url,
    /// The auth broker.
    pub auth_broker: Url,
    /// The drift-repair agent.
    pub drift_repair: Url,
    /// Base URL of Airbyte's public API.
    pub airbyte: String,
}

/// What is not a setting of AAM's.
#[derive(Debug, Default)]
pub struct Options {
    /// The program that runs native connectors; this one when absent.
    pub connector_program: Option<PathBuf>,
    /// Executables offered as connectors beside the native ones.
    pub local_connectors: Vec<embedded_airbyte::LocalConnector>,
}

/// A running stack.
pub struct Stack {
    addresses: Addresses,
    settings: Settings,
    stopping: CancellationToken,
    services: JoinSet<Result<&'static str, Error>>,
    registry: Registry,
    _lock: StackLock,
}

impl Stack {
    /// Starts everything and returns when every port is bound and served. A port setting of 0
    /// takes a free one.
    ///
    /// # Errors
    /// When anything does not start; what did is stopped.
    pub async fn start(mut settings: Settings, options: Options) -> Result<Self, Error> {
        let lock = settings.home.lock_stack()?;
        let stopping = CancellationToken::new();
        let mut services = JoinSet::new();
        // The registry is brought up to date while the engine opens its own database.
        let opening = async {
            let registry =
                Registry::connect(&settings.database, settings.pooler)?.with_lease(settings.lease);
            registry.migrate().await?;
            Ok::<_, Error>(registry)
        };
        let engine = async {
            if !settings.airbyte.embedded {
                return Ok(None);
            }
            let application = embedded(&settings, options).await?;
            Ok::<_, Error>(Some(application))
        };
        let (registry, engine) = tokio::try_join!(opening, engine)?;
        if let Some(engine) = engine {
            settings.airbyte.urls = AirbyteUrls::of_instance(&url_of(engine.address()));
            let until = stopping.clone();
            services.spawn(async move {
                engine.run_until(until).await?;
                Ok("the embedded Airbyte")
            });
        }

        let broker = auth_broker::Application::build(&settings, registry.clone(), stopping.clone())
            .await
            .map_err(Error::AuthBroker)?;
        settings.service_urls.auth_broker = url_of(broker.address());
        services.spawn(async move {
            broker.run().await.map_err(Error::AuthBroker)?;
            Ok("the auth broker")
        });

        let agent =
            drift_repair_agent::Application::build(&settings, registry.clone(), stopping.clone())
                .await
                .map_err(Error::DriftRepair)?;
        settings.service_urls.drift_repair = url_of(agent.address());
        services.spawn(async move {
            agent.run().await.map_err(Error::DriftRepair)?;
            Ok("the drift-repair agent")
        });

        let orchestrator =
            orchestrator::Application::build(&settings, registry.clone(), stopping.clone())
                .await
                .map_err(Error::Orchestrator)?;
        settings.service_urls.orchestrator = url_of(orchestrator.address());
        services.spawn(async move {
            orchestrator.run().await.map_err(Error::Orchestrator)?;
            Ok("the orchestrator")
        });

        let addresses = Addresses {
            orchestrator: settings.service_urls.orchestrator.clone(),
            auth_broker: settings.service_urls.auth_broker.clone(),
            drift_repair: settings.service_urls.drift_repair.clone(),
            airbyte: settings.airbyte.urls.public.clone(),
        };
        Ok(Self {
            addresses,
            settings,
            stopping,
            services,
            registry,
            _lock: lock,
        })
    }

    /// Where the services listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The settings, with the ports and URLs that are in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Stops everything when cancelled.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Waits until the stack was requested to stop and has stopped.
    ///
    /// # Errors
    /// When a service fails or stops by itself; the others are stopped then.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut failure = None;
        while let Some(ended) = self.services.join_next().await {
            let ended = ended.map_err(Error::from).and_then(|result| result);
            let error = match ended {
                Ok(_) if self.stopping.is_cancelled() => continue,
                Ok(service) => Error::Stopped(service),
                Err(error) => error,
            };
            self.stopping.cancel();
            failure.get_or_insert(error);
        }
        self.registry.close().await;
        failure.map_or(Ok(()), Err)
    }

    /// Stops the stack and waits until it has stopped.
    ///
    /// # Errors
    /// When a service fails on its way down.
    pub async fn stop(self) -> Result<(), Error> {
        self.stopping.cancel();
        self.run().await
    }
}

async fn embedded(
    settings: &Settings,
    options: Options,
) -> Result<embedded_airbyte::Application, Error> {
    let program = match options.connector_program {
        Some(program) => program,
        None => std::env::current_exe().map_err(Error::Program)?,
    };
    let mut engine = embedded_airbyte::Options::from_settings(settings, program)?;
    engine.local_connectors = options.local_connectors;
    engine.http_workers = 1;
    Ok(embedded_airbyte::Application::build(engine).await?)
}

fn url_of(address: SocketAddr) -> Url {
    let host = if address.ip().is_unspecified() {
        "127.0.0.1".to_owned()
    } else {
        address.ip().to_string()
    };
    Url::parse(&format!("http://{host}:{}", address.port()))
        .expect("an address and a port make a URL")
}
