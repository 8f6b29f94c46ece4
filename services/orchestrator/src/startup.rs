//! Starts the service from its settings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::auth_broker::AuthBroker;
use crate::clients::drift_repair::DriftRepair;
use actix_web::web::{Data, ServiceConfig};
use futures::FutureExt as _;
use secrecy::SecretString;
use service_kit::server;
use service_kit::server::{Listening, Scraped, Service, StartError};
use service_kit::service_token::ServiceTokens;
use service_kit::{MiddlewareState, Runtime, health};
use settings::{Settings, variables};
use shared::airbyte::Airbyte;
use shared::registry::Registry;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use uuid::Uuid;

use crate::feed::Feed;
use crate::state::State;
use crate::{flows, openapi, routes};

/// How long running flows may take to complete when the service stops.
const DRAIN: Duration = Duration::from_secs(15);

/// How long releasing leases may take.
const HANDING_OVER: Duration = Duration::from_secs(2);

/// The orchestrator, listening.
pub struct Application {
    listening: Listening,
    state: State,
    redis_url: Option<SecretString>,
}

impl Application {
    /// Binds the port; [`Application::run`] starts responding.
    ///
    /// # Errors
    /// Returns an error if the settings do not allow it, the registry does not answer or the port
    /// is taken.
    pub async fn build(
        settings: &Settings,
        registry: Registry,
        stopping: CancellationToken,
    ) -> Result<Self, StartError> {
        let http = http_client::build()?;
        let tokens = ServiceTokens::new(settings.service_token_key()?, "orchestrator");
        let airbyte = Airbyte::with_timeout(
            settings.airbyte.urls.clone(),
            settings.airbyte_client()?,
            settings.airbyte.http()?,
            settings.http_timeout,
        );
        let urls = &settings.service_urls;
        let installation = registry.installation_id().await?;
        let state = State {
            registry,
            airbyte,
            auth_broker: AuthBroker::new(urls.auth_broker.clone(), tokens.clone(), http.clone()),
            drift_repair: DriftRepair::new(urls.drift_repair.clone(), tokens, http),
            runtime: Runtime::current(stopping),
            installation,
            owner: format!("orchestrator/{}", Uuid::now_v7()).into(),
            fingerprint_key: settings.service_token_key()?,
            has_api_key: settings.api_key.is_some(),
            default_workspace: settings.airbyte.workspace_id,
            default_destination: settings.airbyte.destination_id,
            default_drift_policy: settings.drift_policy.clone(),
            wake: Arc::new(Notify::new()),
            track_wake: Arc::new(Notify::new()),
            relay_wake: Arc::new(Notify::new()),
            feed: Feed::new(),
        };
        let data = Data::new(state.clone());
        let probed = state.clone();
        let redis = settings.redis_url.clone();
        let database = settings.database.clone();
        let service = Service {
            name: "orchestrator",
            bind: (settings.bind_address.clone(), settings.ports.orchestrator),
            port_variable: variables::SERVICE_PORT_ORCHESTRATOR,
            workers: 2,
            gate: MiddlewareState::new(settings, "orchestrator", &state.registry).await?,
            openapi: openapi::Document::openapi(),
            ready: Arc::new(move || {
                let state = probed.clone();
                let redis = redis.clone();
                let database = database.clone();
                async move {
                    let probes = futures::join!(
                        health::probe("registry", true, state.registry.ping()),
                        health::probe_called("airbyte", true, state.airbyte.ready(), || {
                            state.airbyte.circuit()
                        }),
                        health::probe_called(
                            "auth_broker",
                            false,
                            state.auth_broker.health(),
                            || { state.auth_broker.circuit() }
                        ),
                        health::probe_called(
                            "drift_repair_agent",
                            false,
                            state.drift_repair.health(),
                            || { state.drift_repair.circuit() }
                        ),
                    );
                    let mut all = vec![probes.0, probes.1, probes.2, probes.3];
                    all.extend(health::probe_disk(&database).await);
                    if let Some(url) = redis {
                        let ping = service_kit::redis::ping(&url);
                        all.push(health::probe("redis", false, ping).await);
                    }
                    all
                }
                .boxed_local()
            }),
        };
        let at_scrape = state.clone();
        let scraped = Data::new(Scraped(Arc::new(move || {
            flows::scrape::scrape(at_scrape.clone()).boxed_local()
        })));
        let data = move |app: &mut ServiceConfig| {
            app.app_data(data.clone()).app_data(scraped.clone());
        };
        let listening = server::listen(service, data, routes::configure)?;
        Ok(Self {
            listening,
            state,
            redis_url: settings.redis_url.clone(),
        })
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
        let Self {
            listening,
            state,
            redis_url,
        } = self;
        let runtime = state.runtime.clone();
        let (registry, owner) = (state.registry.clone(), Arc::clone(&state.owner));
        let mut leader_tasks = JoinSet::new();
        leader_tasks.spawn(flows::relay::run(state.clone()));
        leader_tasks.spawn(flows::tracker::run(state.clone()));
        if let Some(url) = redis_url {
            leader_tasks.spawn(flows::redis_stream::run(state.clone(), url));
        }
        let feed = state.feed.clone();
        leader_tasks.spawn(feed.run(state.registry.clone(), runtime.stopping().clone()));
        let worker = tokio::spawn(flows::worker::run(state));
        server::serve(listening, &runtime, DRAIN).await?;
        worker.abort();
        let _ = worker.await;
        server::hand_over(&registry, &owner).await;
        // Each has released its lease by now, or is about to.
        let ended = async { while leader_tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(HANDING_OVER, ended).await;
        Ok(())
    }
}
