//! The tracker's view of Airbyte; each method is one call.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::airbyte::types::{Job, JobDetail};
use shared::airbyte::{Airbyte, Error};
use uuid::Uuid;

/// Airbyte's jobs.
#[async_trait]
pub(super) trait JobSource: Send + Sync {
    /// Returns a page of jobs that changed since then, in the order of change.
    async fn changed(
        &self,
        workspaces: &[Uuid],
        since: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<Job>, Error>;

    /// Returns a page of running jobs, newest first.
    async fn running(&self, workspaces: &[Uuid], offset: usize) -> Result<Vec<Job>, Error>;

    /// Returns one job; `None` if Airbyte no longer knows it.
    async fn one(&self, id: &str) -> Result<Option<Job>, Error>;

    /// Returns a page of the attempts of jobs that ended in that period, newest first.
    async fn details(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<(String, JobDetail)>, Error>;

    /// Returns the attempts of one job.
    async fn detail(&self, id: &str) -> Result<JobDetail, Error>;

    /// Whether the connection has an unacknowledged breaking schema change.
    async fn has_breaking_change(&self, connection: Uuid) -> Result<bool, Error>;
}

#[async_trait]
impl JobSource for Airbyte {
    async fn changed(
        &self,
        workspaces: &[Uuid],
        since: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<Job>, Error> {
        self.job_list_changed(workspaces, since, offset).await
    }

    async fn running(&self, workspaces: &[Uuid], offset: usize) -> Result<Vec<Job>, Error> {
        self.job_list_running(workspaces, offset).await
    }

    async fn one(&self, id: &str) -> Result<Option<Job>, Error> {
        match self.job_get(id).await {
            Ok(job) => Ok(Some(job)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn details(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<(String, JobDetail)>, Error> {
        self.job_detail_list(from, to, offset).await
    }

    async fn detail(&self, id: &str) -> Result<JobDetail, Error> {
        self.job_detail(id).await
    }

    async fn has_breaking_change(&self, connection: Uuid) -> Result<bool, Error> {
        match self.connection_read(connection).await {
            Ok(read) => Ok(read.breaking_change),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
