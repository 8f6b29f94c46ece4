//! What handlers and flows share.

use std::sync::Arc;

use crate::clients::auth_broker::AuthBroker;
use crate::clients::drift_repair::DriftRepair;
use contracts::DriftPolicy;
use secrecy::SecretString;
use service_kit::Runtime;
use shared::airbyte::Airbyte;
use shared::registry::Registry;
use shared::registry::entities::connection;
use tokio::sync::Notify;
use uuid::Uuid;

use operations::flow::Error;

use crate::feed::Feed;

/// What handlers and flows share.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) airbyte: Airbyte,
    pub(crate) auth_broker: AuthBroker,
    pub(crate) drift_repair: DriftRepair,
    pub(crate) runtime: Runtime,
    pub(crate) installation: Uuid,
    /// This process's name in leases.
    pub(crate) owner: Arc<str>,
    /// Key of the fingerprints of requests, which may contain secrets.
    pub(crate) fingerprint_key: SecretString,
    /// Whether `AAM_API_KEY` is set.
    pub(crate) has_api_key: bool,
    pub(crate) default_workspace: Option<Uuid>,
    pub(crate) default_destination: Option<Uuid>,
    pub(crate) default_drift_policy: DriftPolicy,
    /// Wakes the worker.
    pub(crate) wake: Arc<Notify>,
    /// Wakes the tracker of jobs.
    pub(crate) track_wake: Arc<Notify>,
    /// Wakes the relay of events.
    pub(crate) relay_wake: Arc<Notify>,
    /// The feed of events for listeners.
    pub(crate) feed: Feed,
}

impl State {
    /// Returns the connection with that id.
    pub(crate) async fn connection(&self, id: Uuid) -> Result<connection::Model, Error> {
        operations::flow::connection(&self.registry, id).await
    }

    /// As `connection`, but requires that it belongs to the configured Airbyte.
    pub(crate) async fn own_connection(&self, id: Uuid) -> Result<connection::Model, Error> {
        operations::flow::own_connection(&self.registry, &self.airbyte, id).await
    }
}
