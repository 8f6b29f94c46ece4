//! One poll of all jobs.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use operations::flow::Error;
use shared::airbyte::JOB_PAGE;
use shared::airbyte::types::Job;
use shared::registry::entities::job;
use shared::registry::jobs::{JobConnection, JobFacts, StartedBy};
use shared::registry::now as registry_now;
use shared::registry::status::JobStatus;
use uuid::Uuid;

use super::details::Ended;
use super::source::JobSource;
use super::store::JobStore;
use crate::domain::polling;

/// How far each poll overlaps the previous one, for late commits.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// An occasional longer overlap, for very late commits.
const DEEP_OVERLAP: TimeDelta = TimeDelta::minutes(5);
const DEEP_EVERY: Duration = Duration::from_secs(15 * 60);
const WORKSPACES_EVERY: Duration = Duration::from_secs(30);
/// Maximum number of jobs per poll that are requested by id.
const ONE_BY_ONE: usize = 10;
/// Maximum number of pages per poll; the next one continues.
const PAGES: usize = 50;

/// The state between polls.
pub(super) struct Tracker<S, R> {
    pub(super) source: S,
    pub(super) store: R,
    /// Up to when all changes were seen, by Airbyte's times.
    position: DateTime<Utc>,
    stored_position: DateTime<Utc>,
    workspaces: Vec<Uuid>,
    workspaces_until: Option<Instant>,
    progress_at: Option<Instant>,
    deep_at: Option<Instant>,
    /// When each open job was last in a list.
    seen: HashMap<String, Instant>,
    /// How often Airbyte failed to return a finished job's details.
    pub(super) untold: HashMap<String, u32>,
}

impl<S, R> Tracker<S, R> {
    pub(super) fn new(source: S, store: R, position: DateTime<Utc>) -> Self {
        Self {
            source,
            store,
            position,
            stored_position: position,
            workspaces: Vec::new(),
            workspaces_until: None,
            progress_at: None,
            deep_at: None,
            seen: HashMap::new(),
            untold: HashMap::new(),
        }
    }

    /// Whether the last poll saw this job open.
    pub(super) fn has_seen(&self, job_id: &str) -> bool {
        self.seen.contains_key(job_id)
    }
}

impl<S: JobSource, R: JobStore> Tracker<S, R> {
    /// Polls once; returns how long to wait for the next poll. `now` and `at` are the same moment
    /// by the two clocks.
    pub(super) async fn look(
        &mut self,
        now: Instant,
        at: DateTime<Utc>,
    ) -> Result<Duration, Error> {
        let before = self.store.open().await?;
        self.learn_workspaces(now, !before.is_empty()).await?;
        if self.workspaces.is_empty() {
            return Ok(polling::IDLE);
        }
        self.read_changes(now).await?;
        let open = self.store.open().await?;
        let ids: HashSet<&str> = open.iter().map(|row| row.airbyte_job_id.as_str()).collect();
        self.seen.retain(|id, _| ids.contains(id.as_str()));
        let youngest = age(&open, at);
        if !open.is_empty() && self.progress_at.is_none_or(|due| now >= due) {
            self.read_progress(now, open.len()).await?;
            self.progress_at = Some(now + polling::progress(youngest, open.len()));
        }
        self.ask_for_missing(now, &open).await?;
        service_kit::metrics::jobs_open(open.len());
        Ok(polling::pause(youngest, open.len()))
    }

    async fn learn_workspaces(&mut self, now: Instant, has_jobs: bool) -> Result<(), Error> {
        let is_due = self.workspaces_until.is_none_or(|until| now >= until);
        if is_due || (has_jobs && self.workspaces.is_empty()) {
            self.workspaces = self.store.workspaces().await?;
            self.workspaces_until = Some(now + WORKSPACES_EVERY);
        }
        Ok(())
    }

    /// Reads changes, page by page. Offsets shift while jobs change, so a page starts at the time
    /// where the previous one ended, and uses offsets only within one time.
    async fn read_changes(&mut self, now: Instant) -> Result<(), Error> {
        let is_deep = self.deep_at.is_none_or(|due| now >= due);
        let overlap = if is_deep { DEEP_OVERLAP } else { OVERLAP };
        let (mut since, mut offset) = (self.position - overlap, 0);
        for _ in 0..PAGES {
            let page = self
                .source
                .changed(&self.workspaces, since, offset)
                .await
                .map_err(Error::from)?;
            let reached = page.iter().filter_map(changed_at).max();
            let is_full = page.len() >= JOB_PAGE;
            self.take_in(now, page).await?;
            let reached = reached.unwrap_or(since);
            self.position = self.position.max(reached);
            if !is_full {
                break;
            }
            // Lists are filtered by whole seconds.
            if reached.timestamp() > since.timestamp() {
                (since, offset) = (reached, 0);
            } else {
                offset += JOB_PAGE;
            }
        }
        if is_deep {
            self.deep_at = Some(now + DEEP_EVERY);
        }
        if self.position > self.stored_position {
            self.store.advance(self.position).await?;
            self.stored_position = self.position;
        }
        Ok(())
    }

    async fn read_progress(&mut self, now: Instant, open: usize) -> Result<(), Error> {
        let pages = open.div_ceil(JOB_PAGE).min(PAGES);
        for page in 0..pages {
            let jobs = self
                .source
                .running(&self.workspaces, page * JOB_PAGE)
                .await
                .map_err(Error::from)?;
            let is_last = jobs.len() < JOB_PAGE;
            self.take_in(now, jobs).await?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Requests open jobs that no list shows: they wait for their next attempt, or Airbyte lost
    /// them.
    async fn ask_for_missing(&mut self, now: Instant, open: &[job::Model]) -> Result<(), Error> {
        let patience = polling::patience(open.len());
        let mut missing = Vec::new();
        for row in open {
            let seen = *self.seen.entry(row.airbyte_job_id.clone()).or_insert(now);
            if now - seen >= patience {
                missing.push((seen, row));
            }
        }
        missing.sort_by_key(|(seen, _)| *seen);
        for (_, row) in missing.into_iter().take(ONE_BY_ONE) {
            let response = self.source.one(&row.airbyte_job_id).await;
            match response.map_err(Error::from)? {
                Some(job) => self.take_in(now, vec![job]).await?,
                None => self.store_lost(row).await?,
            }
        }
        Ok(())
    }

    async fn store_lost(&mut self, row: &job::Model) -> Result<(), Error> {
        let facts = JobFacts {
            status: JobStatus::Failed,
            completed_at: Some(registry_now()),
            error_message: Some("Airbyte no longer knows the job".to_owned()),
            ..facts_of(row)
        };
        self.end(&facts, None).await
    }

    /// Stores what is new about the jobs of a page.
    async fn take_in(&mut self, now: Instant, page: Vec<Job>) -> Result<(), Error> {
        let mut airbyte_ids: Vec<Uuid> = page.iter().filter_map(|job| job.connection_id).collect();
        airbyte_ids.sort_unstable();
        airbyte_ids.dedup();
        if airbyte_ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = page.iter().map(|job| job.job_id.clone()).collect();
        let known: HashMap<String, job::Model> = self
            .store
            .find_stored(&ids)
            .await?
            .into_iter()
            .map(|row| (row.airbyte_job_id.clone(), row))
            .collect();
        let connections: HashMap<Uuid, JobConnection> = self
            .store
            .connections(&airbyte_ids)
            .await?
            .into_iter()
            .map(|connection| (connection.airbyte_id, connection))
            .collect();
        let mut ended = Vec::new();
        for job in page {
            let Some(connection) = job.connection_id.and_then(|id| connections.get(&id)) else {
                continue;
            };
            let row = known
                .get(&job.job_id)
                .filter(|row| row.connection_id == connection.id);
            if row.is_some_and(|row| row.status.is_final()) {
                continue;
            }
            // While AAM is starting a job it may be this one, which is about to be recorded as its
            // own.
            let by = (!connection.is_starting).then_some(StartedBy::Airbyte);
            let facts = facts_from(&job, connection.id, row);
            if facts.status.is_final() {
                ended.push(Ended {
                    facts,
                    by,
                    airbyte_connection: connection.airbyte_id,
                });
                continue;
            }
            self.seen.insert(job.job_id.clone(), now);
            if row.is_none_or(|row| has_moved(row, &facts)) {
                self.store.store(&facts, by).await?;
            }
        }
        self.store_ended(ended).await
    }
}

/// A lower bound of when a job last changed, by Airbyte's times; only finished jobs have one.
fn changed_at(job: &Job) -> Option<DateTime<Utc>> {
    job.last_updated_at.or(job.start_time)
}

fn age(open: &[job::Model], at: DateTime<Utc>) -> Option<Duration> {
    let newest = open.iter().map(|row| row.created_at).max()?;
    Some((at - newest).to_std().unwrap_or_default())
}

fn has_moved(row: &job::Model, facts: &JobFacts) -> bool {
    row.status != facts.status
        || row.rows_synced != facts.rows_synced
        || row.bytes_synced != facts.bytes_synced
}

fn facts_of(row: &job::Model) -> JobFacts {
    JobFacts {
        connection_id: row.connection_id,
        airbyte_job_id: row.airbyte_job_id.clone(),
        job_type: row.job_type.clone(),
        status: row.status,
        started_at: row.started_at,
        completed_at: row.completed_at,
        error_message: row.error_message.clone(),
        rows_synced: row.rows_synced,
        bytes_synced: row.bytes_synced,
        attempts: row.attempts,
    }
}

fn facts_from(job: &Job, connection_id: Uuid, row: Option<&job::Model>) -> JobFacts {
    let status = JobStatus::from_airbyte(&job.status);
    JobFacts {
        connection_id,
        airbyte_job_id: job.job_id.clone(),
        job_type: job.job_type.clone(),
        status,
        started_at: row.and_then(|row| row.started_at).or(job.start_time),
        completed_at: status
            .is_final()
            .then(|| job.last_updated_at.unwrap_or_else(registry_now)),
        error_message: None,
        rows_synced: job.rows_synced.or(row.and_then(|row| row.rows_synced)),
        bytes_synced: job.bytes_synced.or(row.and_then(|row| row.bytes_synced)),
        attempts: row.map_or(1, |row| row.attempts),
    }
}
