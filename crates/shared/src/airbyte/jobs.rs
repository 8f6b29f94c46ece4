//! Jobs: lists over many connections, attempts with their failures and logs, cancellation.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::call::{Call, Repeat, decode};
use super::types::{AttemptLog, Job, JobDetail, JobInfo, JobInfoWithLogs, JobList, Page};
use super::{Airbyte, Error};
use http_client::DEFAULT_TIMEOUT;

/// Maximum number of jobs in one response to a list; Airbyte's own limit.
pub const JOB_PAGE: usize = 100;

impl Airbyte {
    /// Returns a job.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_get(&self, id: &str) -> Result<Job, Error> {
        self.get(
            "reading a job",
            &format!("/jobs/{id}"),
            &[],
            DEFAULT_TIMEOUT,
        )
        .await
    }

    /// Returns the newest jobs of a connection, newest first. The server's default order is oldest
    /// first.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_list_newest(&self, connection: Uuid, limit: usize) -> Result<Vec<Job>, Error> {
        let query = [
            ("connectionId", connection.to_string()),
            ("orderBy", "createdAt|DESC".to_owned()),
            ("limit", limit.min(JOB_PAGE).to_string()),
        ];
        let page: Page<Job> = self
            .get("listing jobs", "/jobs", &query, DEFAULT_TIMEOUT)
            .await?;
        Ok(page.data)
    }

    /// Returns a page of jobs of these workspaces that changed since a time, in the order of
    /// change. Progress does not count as a change.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_list_changed(
        &self,
        workspaces: &[Uuid],
        since: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<Job>, Error> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = [
            ("workspaceIds", listed(workspaces)),
            ("updatedAtStart", since),
            ("orderBy", "updatedAt|ASC".to_owned()),
            ("limit", JOB_PAGE.to_string()),
            ("offset", offset.to_string()),
        ];
        let page: Page<Job> = self
            .get(
                "listing jobs that changed",
                "/jobs",
                &query,
                DEFAULT_TIMEOUT,
            )
            .await?;
        Ok(page.data)
    }

    /// Returns a page of running jobs of these workspaces, newest first.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_list_running(
        &self,
        workspaces: &[Uuid],
        offset: usize,
    ) -> Result<Vec<Job>, Error> {
        let query = [
            ("workspaceIds", listed(workspaces)),
            ("status", "running".to_owned()),
            ("orderBy", "createdAt|DESC".to_owned()),
            ("limit", JOB_PAGE.to_string()),
            ("offset", offset.to_string()),
        ];
        let page: Page<Job> = self
            .get("listing jobs that run", "/jobs", &query, DEFAULT_TIMEOUT)
            .await?;
        Ok(page.data)
    }

    /// Cancels the job that is running on this job's connection; returns the job's new state.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_cancel(&self, id: &str) -> Result<Job, Error> {
        let call: Call<'_, ()> = Call {
            name: "cancelling a job",
            method: Method::DELETE,
            url: format!("{}/jobs/{id}", self.inner.urls.public),
            query: &[],
            body: None,
            timeout: DEFAULT_TIMEOUT * 4,
            // A second call might cancel the next job.
            repeat: Repeat::Unsafe,
        };
        decode(call.name, &call.url, &self.inner.send(&call).await?)
    }

    /// Returns a job's number of attempts, its start, and why the last attempt failed.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_detail(&self, id: &str) -> Result<JobDetail, Error> {
        let Ok(number) = id.parse::<i64>() else {
            return Ok(JobDetail::default());
        };
        let info: JobInfo = self
            .config(
                "reading a job's attempts",
                "/jobs/get_without_logs",
                &json!({"id": number}),
                DEFAULT_TIMEOUT,
                Repeat::Safe,
            )
            .await?;
        debug_assert_eq!(info.job.id, id, "Airbyte answered for another job");
        let attempts = info.attempts.iter().map(|info| &info.attempt);
        Ok(JobDetail::of(attempts))
    }

    /// Returns the attempts of at most [`JOB_PAGE`] jobs that ended between the two times, newest
    /// first.
    ///
    /// # Errors
    /// Returns an error if the call fails, for example because Airbyte requires a connection id.
    pub async fn job_detail_list(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<(String, JobDetail)>, Error> {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let body = json!({
            "configTypes": ["sync", "refresh", "reset_connection"],
            "statuses": ["succeeded", "failed", "cancelled"],
            "updatedAtStart": time(from),
            "updatedAtEnd": time(to + TimeDelta::seconds(1)),
            "orderByField": "updatedAt",
            "orderByMethod": "DESC",
            "pagination": {"pageSize": JOB_PAGE, "rowOffset": offset},
        });
        let list: JobList = self
            .config(
                "listing attempts",
                "/jobs/list",
                &body,
                DEFAULT_TIMEOUT,
                Repeat::Safe,
            )
            .await?;
        let jobs = list.jobs.into_iter();
        Ok(jobs
            .map(|job| (job.job.id, JobDetail::of(&job.attempts)))
            .collect())
    }

    /// Returns the logs of a job's attempts, oldest first.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn job_logs(&self, id: &str) -> Result<Vec<AttemptLog>, Error> {
        let Ok(number) = id.parse::<i64>() else {
            return Ok(Vec::new());
        };
        let info: JobInfoWithLogs = self
            .config(
                "reading a job's logs",
                "/jobs/get",
                &json!({"id": number}),
                DEFAULT_TIMEOUT * 2,
                Repeat::Safe,
            )
            .await?;
        let attempts = info.attempts.into_iter().enumerate();
        Ok(attempts.map(|(place, info)| info.log(place)).collect())
    }
}

fn listed(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    ids.join(",")
}
