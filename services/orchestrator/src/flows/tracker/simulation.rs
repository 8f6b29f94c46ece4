//! Simulates ten thousand connections for an hour, against an Airbyte that counts calls: the
//! figures in docs/jobs.md. The tracker is the real one; its clock, Airbyte and the registry are
//! simulated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use operations::flow::Error;
use shared::airbyte::types::{Job, JobDetail};
use shared::airbyte::{self, JOB_PAGE};
use shared::registry::entities::job;
use shared::registry::jobs::{JobConnection, JobFacts, JobStored, StartedBy};
use shared::registry::status::JobStatus;
use uuid::Uuid;

use super::look::Tracker;
use super::source::JobSource;
use super::store::JobStore;

const CONNECTIONS: u64 = 10_000;

/// The state of Airbyte and the registry at a moment of simulated time.
#[derive(Default)]
struct World {
    at: DateTime<Utc>,
    started: DateTime<Utc>,
    /// The interval between job starts, and each job's duration; none if nothing runs.
    every: Option<TimeDelta>,
    runs: TimeDelta,
    calls: usize,
    open: HashMap<String, job::Model>,
    ended: HashMap<String, job::Model>,
}

impl World {
    fn started(&self, number: i64) -> DateTime<Utc> {
        self.started + TimeDelta::milliseconds(self.every.unwrap().num_milliseconds() * number)
    }

    fn job(&self, number: i64) -> Job {
        let started = self.started(number);
        let ends = started + self.runs;
        let has_ended = ends <= self.at;
        let connection = Uuid::from_u128(u128::from(number.unsigned_abs() % CONNECTIONS));
        serde_json::from_value(serde_json::json!({
            "jobId": number, "connectionId": connection, "jobType": "sync",
            "status": if has_ended { "succeeded" } else { "running" },
            "startTime": started, "lastUpdatedAt": has_ended.then_some(ends), "rowsSynced": 1,
        }))
        .unwrap()
    }

    /// When a job last changed, and whether it has ended.
    fn changed(&self, number: i64) -> (DateTime<Utc>, bool) {
        let ends = self.started(number) + self.runs;
        if ends <= self.at {
            (ends, true)
        } else {
            (self.started(number), false)
        }
    }

    /// Jobs that started at `from` or later, up to now.
    fn jobs_since(&self, from: DateTime<Utc>) -> Vec<i64> {
        let Some(every) = self.every else {
            return Vec::new();
        };
        let number =
            |at: DateTime<Utc>| (at - self.started).num_milliseconds() / every.num_milliseconds();
        (number(from).max(0)..=number(self.at)).collect()
    }

    fn page(&self, jobs: Vec<i64>, offset: usize) -> Vec<Job> {
        let page = jobs.into_iter().skip(offset).take(JOB_PAGE);
        page.map(|number| self.job(number)).collect()
    }
}

#[derive(Clone, Default)]
struct Simulated(Arc<Mutex<World>>);

impl Simulated {
    fn call(&self) -> std::sync::MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap();
        world.calls += 1;
        world
    }
}

#[async_trait]
impl JobSource for Simulated {
    async fn changed(
        &self,
        _: &[Uuid],
        since: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<Job>, airbyte::Error> {
        let world = self.call();
        let mut jobs = world.jobs_since(since - world.runs);
        jobs.retain(|job| world.changed(*job).0 >= since);
        jobs.sort_by_key(|job| world.changed(*job).0);
        Ok(world.page(jobs, offset))
    }

    async fn running(&self, _: &[Uuid], offset: usize) -> Result<Vec<Job>, airbyte::Error> {
        let world = self.call();
        let mut jobs = world.jobs_since(world.at - world.runs);
        jobs.retain(|job| !world.changed(*job).1);
        jobs.reverse();
        Ok(world.page(jobs, offset))
    }

    async fn one(&self, id: &str) -> Result<Option<Job>, airbyte::Error> {
        let world = self.call();
        Ok(Some(world.job(id.parse().unwrap())))
    }

    async fn details(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        offset: usize,
    ) -> Result<Vec<(String, JobDetail)>, airbyte::Error> {
        let world = self.call();
        let mut jobs = world.jobs_since(from - world.runs);
        jobs.retain(|job| {
            let (at, has_ended) = world.changed(*job);
            has_ended && from <= at && at <= to
        });
        jobs.reverse();
        let page = world.page(jobs, offset).into_iter();
        Ok(page.map(|job| (job.job_id, JobDetail::default())).collect())
    }

    async fn detail(&self, _: &str) -> Result<JobDetail, airbyte::Error> {
        drop(self.call());
        Ok(JobDetail::default())
    }

    async fn has_breaking_change(&self, _: Uuid) -> Result<bool, airbyte::Error> {
        drop(self.call());
        Ok(false)
    }
}

#[async_trait]
impl JobStore for Simulated {
    async fn open(&self) -> Result<Vec<job::Model>, Error> {
        let world = self.0.lock().unwrap();
        Ok(world.open.values().cloned().collect())
    }

    async fn find_stored(&self, ids: &[String]) -> Result<Vec<job::Model>, Error> {
        let world = self.0.lock().unwrap();
        Ok(ids
            .iter()
            .filter_map(|id| world.open.get(id).or(world.ended.get(id)).cloned())
            .collect())
    }

    async fn connections(&self, airbyte_ids: &[Uuid]) -> Result<Vec<JobConnection>, Error> {
        let connection = |id: &Uuid| JobConnection {
            id: *id,
            airbyte_id: *id,
            is_starting: false,
        };
        Ok(airbyte_ids.iter().map(connection).collect())
    }

    async fn workspaces(&self) -> Result<Vec<Uuid>, Error> {
        Ok(vec![Uuid::nil()])
    }

    async fn store(&self, facts: &JobFacts, by: Option<StartedBy>) -> Result<JobStored, Error> {
        let mut world = self.0.lock().unwrap();
        let at = world.at;
        let id = facts.airbyte_job_id.clone();
        let known = world.open.get(&id);
        let has_ended = facts.status.is_final();
        assert!(
            !world.ended.contains_key(&id),
            "a finished job is not stored again"
        );
        let stored = JobStored {
            is_new: known.is_none(),
            has_ended,
        };
        let row = job::Model {
            id: Uuid::nil(),
            connection_id: facts.connection_id,
            airbyte_job_id: facts.airbyte_job_id.clone(),
            job_type: facts.job_type.clone(),
            status: facts.status,
            started_at: facts.started_at,
            completed_at: facts.completed_at,
            error_message: facts.error_message.clone(),
            rows_synced: facts.rows_synced,
            bytes_synced: facts.bytes_synced,
            attempts: facts.attempts,
            created_at: known.map_or(at, |row| row.created_at),
            updated_at: at,
            started_by: by.map(|by| by.as_str().to_owned()),
        };
        if has_ended {
            world.open.remove(&id);
            world.ended.insert(id, row);
        } else {
            world.open.insert(id, row);
        }
        Ok(stored)
    }

    async fn advance(&self, _: DateTime<Utc>) -> Result<(), Error> {
        Ok(())
    }
}

/// Runs the tracker for `minutes`; returns the final world, and the calls per minute after the
/// first five minutes.
async fn run(world: World, minutes: i64) -> (Simulated, Vec<usize>) {
    let simulated = Simulated(Arc::new(Mutex::new(world)));
    let (started, instant) = (simulated.0.lock().unwrap().started, Instant::now());
    let mut tracker = Tracker::new(simulated.clone(), simulated.clone(), started);
    let mut passed = Duration::ZERO;
    let mut per_minute = vec![0; usize::try_from(minutes).unwrap() + 1];
    while passed < Duration::from_secs(minutes.unsigned_abs() * 60) {
        let at = started + TimeDelta::from_std(passed).unwrap();
        let before = {
            let mut world = simulated.0.lock().unwrap();
            world.at = at;
            world.calls
        };
        let pause = tracker.look(instant + passed, at).await.unwrap();
        let made = simulated.0.lock().unwrap().calls - before;
        per_minute[usize::try_from(passed.as_secs() / 60).unwrap()] += made;
        passed += pause;
    }
    per_minute.pop();
    (simulated, per_minute.split_off(5))
}

fn world(every: Option<TimeDelta>, runs: TimeDelta) -> World {
    let started = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    World {
        at: started,
        started,
        every,
        runs,
        ..World::default()
    }
}

#[tokio::test]
async fn ten_thousand_connections_that_sync_hourly_cost_sixty_calls_a_minute() {
    // Evenly over the hour, five minutes each: 833 run at any moment.
    let every = TimeDelta::milliseconds(60 * 60 * 1000 / i64::try_from(CONNECTIONS).unwrap());
    let (simulated, per_minute) = run(world(Some(every), TimeDelta::minutes(5)), 60).await;
    let most = per_minute.iter().max().unwrap();
    let average = per_minute.iter().sum::<usize>() / per_minute.len();
    println!("calls per minute: {average} on average, {most} at most");
    assert!(*most <= 60 && average <= 45, "{per_minute:?}");
    // None is lost: every finished job is stored as such, except those of the last poll.
    let world = simulated.0.lock().unwrap();
    let should = usize::try_from(55 * 60 * 1000 / every.num_milliseconds()).unwrap();
    let ended = world.ended.len();
    assert!(
        ended + 20 >= should && ended <= should + 1,
        "{ended} of {should}"
    );
    let is_success = |row: &job::Model| row.status == JobStatus::Succeeded;
    assert!(world.ended.values().all(is_success));
}

#[tokio::test]
async fn ten_thousand_connections_that_rest_cost_two_calls_a_minute() {
    let (_, per_minute) = run(world(None, TimeDelta::zero()), 60).await;
    assert!(per_minute.iter().all(|calls| *calls <= 2), "{per_minute:?}");
}

#[tokio::test]
async fn a_burst_of_jobs_that_end_at_once_is_read_to_the_end() {
    // Three hundred per second, each lasting a second.
    let (simulated, _) = run(
        world(Some(TimeDelta::milliseconds(3)), TimeDelta::seconds(1)),
        6,
    )
    .await;
    let world = simulated.0.lock().unwrap();
    let (ended, should) = (world.ended.len(), 6 * 60 * 1000 / 3);
    assert!(ended + 300 * 40 >= should, "{ended} of {should}");
    let open = world.open.len();
    assert!(open <= 300 * 6, "{open} jobs still count as open");
}
