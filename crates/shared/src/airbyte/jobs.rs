//! Jobs: lists over many connections, attempts with their failures and logs, cancelling.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::call::{Call, Repeat, decode};
use super::types::{AttemptLog, Job, JobDetail, JobInfo, JobInfoWithLogs, JobList, Page};
use super::{Airbyte, Error};
use crate::http::client::DEFAULT_TIMEOUT;

/// Jobs of one answer to a list; Airbyte's own limit.
pub const JOB_PAGE: usize = 100;

impl Airbyte {
    /// One job.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn job_get(&self, id: &str) -> Result<Job, Error> {
        self.get(
            "reading a job",
            &format!("/jobs/{id}"),
            &[],
            DEFAULT_TIMEOUT,
        )
        .await
    }

    /// The newest jobs of a connection, newest first. The server's own order is oldest first.
    ///
    /// # Errors
    /// When the call fails.
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

    /// A page of the jobs of all connections of these workspaces that changed since then, in the
    /// order they changed. Their progress is no change.
    ///
    /// # Errors
    /// When the call fails.
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

    /// A page of the jobs of all connections of these workspaces that run, newest first.
    ///
    /// # Errors
    /// When the call fails.
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

    /// Stops whatever job the connection of this one runs; answers the job as it then is.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn job_cancel(&self, id: &str) -> Result<Job, Error> {
        let call: Call<'_, ()> = Call {
            name: "cancelling a job",
            method: Method::DELETE,
            url: format!("{}/jobs/{id}", self.inner.urls.public),
            query: &[],
            body: None,
            timeout: DEFAULT_TIMEOUT * 4,
            // A second one might stop the next job.
            repeat: Repeat::Unsafe,
        };
        decode(call.name, &call.url, &self.inner.send(&call).await?)
    }

    /// A job's attempts: how many, since when, and why the last one failed.
    ///
    /// # Errors
    /// When the call fails.
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

    /// The attempts of at most [`JOB_PAGE`] jobs that ended between the two times, newest first.
    ///
    /// # Errors
    /// When the call fails, for instance because it is not allowed without a connection.
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

    /// The logs of a job's attempts, oldest first.
    ///
    /// # Errors
    /// When the call fails.
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
