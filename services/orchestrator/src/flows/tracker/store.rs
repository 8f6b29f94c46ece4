//! Stores the tracker's observations.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use operations::flow::Error;
use shared::registry::entities::job;
use shared::registry::jobs::{JobConnection, JobFacts, JobStored, StartedBy};
use shared::registry::leases::LeaderLease;
use uuid::Uuid;

use crate::state::State;

/// More than any Airbyte runs at once.
const OPEN: u64 = 10_000;

/// The part of the registry that concerns jobs.
#[async_trait]
pub(super) trait JobStore: Send + Sync {
    /// Jobs that have not ended, oldest first.
    async fn open(&self) -> Result<Vec<job::Model>, Error>;

    /// The stored rows of these jobs.
    async fn find_stored(&self, ids: &[String]) -> Result<Vec<job::Model>, Error>;

    /// Our connections among those with these ids in Airbyte.
    async fn connections(&self, airbyte_ids: &[Uuid]) -> Result<Vec<JobConnection>, Error>;

    /// The workspaces that our connections are in.
    async fn workspaces(&self) -> Result<Vec<Uuid>, Error>;

    /// Stores an observation of a job.
    async fn store(&self, facts: &JobFacts, by: Option<StartedBy>) -> Result<JobStored, Error>;

    /// Stores up to when all changes were seen.
    async fn advance(&self, position: DateTime<Utc>) -> Result<(), Error>;
}

/// The registry, used by the leader.
pub(super) struct Held {
    pub(super) state: State,
    pub(super) leader: LeaderLease,
}

#[async_trait]
impl JobStore for Held {
    async fn open(&self) -> Result<Vec<job::Model>, Error> {
        let instance = self.state.airbyte.instance();
        Ok(self.state.registry.job_list_open(instance, OPEN).await?)
    }

    async fn find_stored(&self, ids: &[String]) -> Result<Vec<job::Model>, Error> {
        Ok(self.state.registry.job_list_of(ids).await?)
    }

    async fn connections(&self, airbyte_ids: &[Uuid]) -> Result<Vec<JobConnection>, Error> {
        let instance = self.state.airbyte.instance();
        let registry = &self.state.registry;
        Ok(registry.job_connections(instance, airbyte_ids).await?)
    }

    async fn workspaces(&self) -> Result<Vec<Uuid>, Error> {
        let instance = self.state.airbyte.instance();
        Ok(self.state.registry.job_workspaces(instance).await?)
    }

    async fn store(&self, facts: &JobFacts, by: Option<StartedBy>) -> Result<JobStored, Error> {
        let stored = self.state.registry.job_store(facts, by).await?;
        if stored.is_new || stored.has_ended {
            self.state.relay_wake.notify_one();
        }
        Ok(stored)
    }

    async fn advance(&self, position: DateTime<Utc>) -> Result<(), Error> {
        let position = position.timestamp_millis();
        let registry = &self.state.registry;
        Ok(registry.leader_advance(&self.leader, position).await?)
    }
}
