//! What is asked about jobs that ended: their attempts, why they failed, and whether a
//! cancellation was drift.

use std::collections::HashMap;

use shared::airbyte::types::JobDetail;
use shared::airbyte::{self, JOB_PAGE};
use shared::flow::Error;
use shared::http::problem::chain;
use shared::registry::jobs::{JobFacts, StartedBy};
use shared::registry::status::JobStatus;
use uuid::Uuid;

use super::look::Tracker;
use super::source::JobSource;
use super::store::JobStore;

/// Up to so many jobs are asked about one by one: the list tells far more than is needed.
const FEW: usize = 3;
/// What a job says that Airbyte stopped because of the source's schema.
const DRIFT: &str =
    "Airbyte stopped it: the source's schema has a breaking change; heal the connection";

/// How often Airbyte is asked about a job that it fails at.
const TRIES: u32 = 5;
/// What such a job says when it failed.
const UNTOLD: &str = "Airbyte does not tell why: it fails when it is asked about the job";

/// A job that ended and is not stored as ended yet.
pub(super) struct Ended {
    pub(super) facts: JobFacts,
    pub(super) by: Option<StartedBy>,
    pub(super) airbyte_connection: Uuid,
}

impl<S: JobSource, R: JobStore> Tracker<S, R> {
    pub(super) async fn store_ended(&mut self, ended: Vec<Ended>) -> Result<(), Error> {
        let mut details = self.details(&ended).await;
        let mut untold = None;
        for mut one in ended {
            let id = one.facts.airbyte_job_id.clone();
            let detail = details.remove(&id);
            match self.complete(&mut one, detail).await {
                Ok(()) => {}
                // One job that Airbyte fails at must not hold up all others.
                Err(error) if !error.is_transient() => {
                    let tries = self.untold.entry(id).or_default();
                    *tries += 1;
                    if *tries < TRIES {
                        untold = Some(error);
                        continue;
                    }
                    tracing::warn!(job.id = %one.facts.airbyte_job_id, error = %chain(&error), "stored a job's end without what Airbyte should tell about it");
                    if one.facts.status != JobStatus::Succeeded {
                        one.facts
                            .error_message
                            .get_or_insert_with(|| UNTOLD.to_owned());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            self.end(&one.facts, one.by).await?;
            self.untold.remove(&one.facts.airbyte_job_id);
        }
        // So that the position stays before it.
        untold.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Adds what Airbyte tells about a job that ended.
    async fn complete(
        &self,
        Ended {
            facts,
            airbyte_connection,
            ..
        }: &mut Ended,
        detail: Option<JobDetail>,
    ) -> Result<(), airbyte::Error> {
        let detail = match detail {
            Some(detail) => detail,
            None => self.source.detail(&facts.airbyte_job_id).await?,
        };
        facts.attempts = detail.attempts.max(1);
        facts.started_at = detail.started_at.or(facts.started_at);
        if facts.status != JobStatus::Succeeded {
            facts.error_message = detail.failure;
        }
        let is_cancelled_sync = facts.status == JobStatus::Cancelled && facts.job_type == "sync";
        if is_cancelled_sync && self.source.has_breaking_change(*airbyte_connection).await? {
            facts.status = JobStatus::Failed;
            facts.error_message = Some(DRIFT.to_owned());
        }
        Ok(())
    }

    /// Stores a job's end, and says so.
    pub(super) async fn end(
        &mut self,
        facts: &JobFacts,
        by: Option<StartedBy>,
    ) -> Result<(), Error> {
        let stored = self.store.store(facts, by).await?;
        if !stored.has_ended {
            return Ok(());
        }
        let (job, status) = (&facts.airbyte_job_id, facts.status.as_str());
        shared::metrics::job_ended(&facts.job_type, status);
        let rows = facts.rows_synced.unwrap_or(0);
        match &facts.error_message {
            None => {
                tracing::info!(connection.id = %facts.connection_id, job.id = %job, status, rows, "job {job} ended");
            }
            Some(error) => {
                tracing::warn!(connection.id = %facts.connection_id, job.id = %job, status, rows, error, "job {job} ended");
            }
        }
        Ok(())
    }

    /// The attempts of many jobs by a few calls. What the list does not tell is asked one by one.
    async fn details(&self, ended: &[Ended]) -> HashMap<String, JobDetail> {
        let mut found = HashMap::new();
        if ended.len() <= FEW {
            return found;
        }
        let times = || ended.iter().filter_map(|ended| ended.facts.completed_at);
        let (Some(from), Some(to)) = (times().min(), times().max()) else {
            return found;
        };
        // Jobs of others are in the list as well: as many pages again as there are jobs of ours.
        let pages = ended.len().div_ceil(JOB_PAGE) * 2;
        for page in 0..pages {
            match self.source.details(from, to, page * JOB_PAGE).await {
                Ok(listed) => {
                    let is_last = listed.len() < JOB_PAGE;
                    found.extend(listed);
                    let is_complete = ended
                        .iter()
                        .all(|ended| found.contains_key(&ended.facts.airbyte_job_id));
                    if is_last || is_complete {
                        break;
                    }
                }
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "attempts cannot be listed; they are read one by one");
                    break;
                }
            }
        }
        found
    }
}
