//! Reads the details of finished jobs: their attempts, why they failed, and whether drift caused a
//! cancellation.

use std::collections::HashMap;

use context::error_chain;
use operations::flow::Error;
use shared::airbyte::types::JobDetail;
use shared::airbyte::{self, JOB_PAGE};
use shared::registry::jobs::{JobFacts, StartedBy};
use shared::registry::status::JobStatus;
use uuid::Uuid;

use super::look::Tracker;
use super::source::JobSource;
use super::store::JobStore;

/// Up to this many jobs are read one by one, because the list returns far more than is needed.
const FEW: usize = 3;
/// The message of a job that Airbyte canceled because of the source's schema.
const DRIFT: &str =
    "Airbyte canceled it: the source's schema has a breaking change; heal the connection";

/// Maximum number of reads of a job for which Airbyte's API fails.
const TRIES: u32 = 5;
/// The message of such a job if it failed.
const UNTOLD: &str = "Airbyte does not report the reason: its API fails for this job";

/// A finished job that is not stored as finished yet.
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
                // A job for which Airbyte fails must not block the others.
                Err(error) if !error.is_transient() => {
                    let tries = self.untold.entry(id).or_default();
                    *tries += 1;
                    if *tries < TRIES {
                        untold = Some(error);
                        continue;
                    }
                    tracing::warn!(
                        job.id = %one.facts.airbyte_job_id,
                        error = %error_chain(&error),
                        "stored the end of a job without its details from Airbyte"
                    );
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

    /// Adds Airbyte's details of a finished job.
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

    /// Stores a job's end, and logs it.
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
        service_kit::metrics::job_ended(&facts.job_type, status);
        let rows = facts.rows_synced.unwrap_or(0);
        match &facts.error_message {
            None => {
                tracing::info!(
                    connection.id = %facts.connection_id,
                    job.id = %job,
                    status,
                    rows,
                    "job {job} ended"
                );
            }
            Some(error) => {
                tracing::warn!(
                    connection.id = %facts.connection_id,
                    job.id = %job,
                    status,
                    rows,
                    error,
                    "job {job} ended"
                );
            }
        }
        Ok(())
    }

    /// Reads the attempts of many jobs with a few calls. Reads those that the list lacks one by
    /// one.
    async fn details(&self, ended: &[Ended]) -> HashMap<String, JobDetail> {
        let mut found = HashMap::new();
        if ended.len() <= FEW {
            return found;
        }
        let times = || ended.iter().filter_map(|ended| ended.facts.completed_at);
        let (Some(from), Some(to)) = (times().min(), times().max()) else {
            return found;
        };
        // The list includes jobs of other owners: allow twice as many pages as our jobs would fill.
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
                    tracing::debug!(
                        error = %error_chain(&error),
                        "cannot list attempts; reading them one by one"
                    );
                    break;
                }
            }
        }
        found
    }
}
