//! What the matrix does with each kind of operation: the state it needs, the request that is killed,
//! and what must hold afterwards.

use operations::steps;
use operations::steps::Step;
use reqwest::Method;
use serde_json::{Value, json};
use shared::registry::status::OperationKind;
use test_support::Stack;

use super::super::connection;
use super::actors::Actors;
use super::{Subject, nothing_is_orphaned};

/// Brings one kind of operation about, again and again.
pub(super) struct Driver {
    kind: OperationKind,
    /// The cell.
    number: u32,
    /// The connection that is worked on.
    id: String,
    /// What held before the cell: the catalog's version, or how many jobs Airbyte has.
    before: i64,
    /// What an ingestion is made of, or a source or destination alone.
    pub(super) actors: Option<Actors>,
}

impl Driver {
    pub(super) async fn new(kind: OperationKind, subject: Subject, stack: &Stack) -> Self {
        let mut driver = Self {
            kind,
            number: 0,
            id: String::new(),
            before: 0,
            actors: Actors::of(subject, stack).await,
        };
        if driver.actors.is_none()
            && !matches!(kind, OperationKind::Onboard | OperationKind::Delete)
        {
            driver.id = stack.onboard_sqlite("shop", "shop.db").await;
        }
        if kind == OperationKind::Rollback {
            driver.add_column(stack).await;
            let heal = format!("/connections/{}/heal", driver.id);
            stack.api.post_empty(&heal).await.expect(200);
        }
        driver
    }

    async fn add_column(&self, stack: &Stack) {
        let statement = format!("ALTER TABLE orders ADD COLUMN c{} TEXT", self.number);
        stack.sqlite("shop.db", &statement).await;
    }

    fn name(&self) -> String {
        format!("shop{}", self.number)
    }

    /// The state that a cell begins with.
    pub(super) async fn prepare(&mut self, stack: &Stack, step: Step) {
        self.number += 1;
        if let Some(actors) = &mut self.actors {
            let removed = (!self.id.is_empty()).then_some(self.id.as_str());
            actors
                .prepare(stack, self.kind, &format!("shop{}", self.number), removed)
                .await;
            self.id.clear();
            return;
        }
        self.is_idle(stack).await;
        match self.kind {
            OperationKind::Delete => {
                self.id = stack.onboard_sqlite(&self.name(), "shop.db").await;
            }
            OperationKind::Heal => self.add_column(stack).await,
            OperationKind::Sync => self.drift(stack, step).await,
            _ => {}
        }
        self.before = match self.kind {
            OperationKind::Heal | OperationKind::Rollback => self.version(stack).await,
            OperationKind::Trigger | OperationKind::Sync => self.jobs(stack).await.len() as i64,
            _ => 0,
        };
    }

    /// The request that a cell kills, and then repeats.
    pub(super) fn request(&self, stack: &Stack) -> reqwest::RequestBuilder {
        let path = |last: &str| format!("/connections/{}{last}", self.id);
        let post = |last: &str| stack.api.request(Method::POST, &path(last));
        if let Some(actors) = &self.actors {
            return actors.request(stack, self.kind, &self.name());
        }
        match self.kind {
            OperationKind::Onboard => stack
                .api
                .request(Method::POST, "/connections/onboard")
                .json(&json!({
                    "source_type": "sqlite",
                    "connection_name": self.name(),
                    "source_config": {"path": stack.data().join("shop.db")},
                    "prefix": format!("{}_", self.name()),
                    "schedule": {"type": "cron", "cron": "0 3 * * *"},
                })),
            OperationKind::Heal => post("/heal"),
            OperationKind::Rollback => post("/rollback").json(&json!({"version": self.target()})),
            OperationKind::Update => stack
                .api
                .request(Method::PATCH, &path(""))
                .json(&json!({"name": self.name(), "drift_policy": "auto"})),
            OperationKind::Delete => stack.api.request(Method::DELETE, &path("")),
            OperationKind::Trigger => post("/sync"),
            // The heal that leaves it.
            OperationKind::Sync => post("/heal").json(&json!({"accept": "all"})),
            OperationKind::CreateActor | OperationKind::DeleteActor => {
                unreachable!("{:?} has another request", self.kind)
            }
        }
    }

    /// Waits until nothing is under way any more; how it ended.
    pub(super) async fn recovered(&mut self, stack: &Stack, failpoint: &str) -> String {
        if let Some(actors) = &self.actors
            && self.kind != OperationKind::Onboard
        {
            return actors
                .recovered(stack, self.kind, &self.name(), failpoint)
                .await;
        }
        match self.connection(stack).await {
            Some(id) => super::drained(stack, &id, failpoint).await,
            None => "nothing was begun".to_owned(),
        }
    }

    /// The version to go back to: the other one of the first two.
    fn target(&self) -> u32 {
        2 - self.number % 2
    }

    /// The connection, as far as the registry knows it.
    async fn connection(&mut self, stack: &Stack) -> Option<String> {
        if self.kind == OperationKind::Onboard {
            let query = format!("/connections?name={}", self.name());
            let found = stack.api.get(&query).await.expect(200);
            self.id = found[0]["id"].as_str()?.to_owned();
        }
        Some(self.id.clone())
    }

    /// What must hold, whether or not the operation happened.
    pub(super) async fn verify(&self, stack: &Stack, failpoint: &str) {
        if let Some(actors) = &self.actors {
            actors.verify(stack, failpoint).await;
            if self.kind != OperationKind::Onboard {
                return;
            }
        } else {
            nothing_is_orphaned(stack, failpoint).await;
        }
        match self.kind {
            OperationKind::Onboard if self.id.is_empty() => {}
            OperationKind::Onboard => self.is_whole(stack, failpoint, 1).await,
            OperationKind::Heal | OperationKind::Rollback => {
                let version = self.version(stack).await;
                let allowed = [self.before, self.before + 1];
                assert!(allowed.contains(&version), "{failpoint}: version {version}");
                self.is_whole(stack, failpoint, version).await;
            }
            OperationKind::Update => {
                let row = connection(stack, &self.id).await;
                let airbyte = stack.airbyte_api().await;
                let path = format!(
                    "/api/public/v1/connections/{}",
                    text(&row, "airbyte_connection_id")
                );
                let there = airbyte.get(&path).await.expect(200);
                assert_eq!(there["name"], row["name"], "{failpoint}");
                assert_eq!(row["status"], "ACTIVE", "{failpoint}");
            }
            OperationKind::Delete => {}
            OperationKind::Trigger => {
                let jobs = self.jobs(stack).await;
                for job in &jobs {
                    stack.job_ended(job).await;
                }
            }
            OperationKind::Sync => self.was_left_once(stack, failpoint).await,
            OperationKind::CreateActor | OperationKind::DeleteActor => {
                unreachable!("{:?} is verified otherwise", self.kind)
            }
        }
    }

    /// The same request again, as a caller would whose call broke off; what it was answered.
    pub(super) async fn repeat(&mut self, stack: &Stack, failpoint: &str) -> String {
        if self.kind == OperationKind::Trigger {
            return self.was_started_once(stack, failpoint).await;
        }
        if self.kind == OperationKind::Sync {
            return "goes on by itself".to_owned();
        }
        if let Some(actors) = &self.actors
            && self.kind == OperationKind::CreateActor
            && actors.count(stack, &self.name()).await == 1
        {
            // Without a key the same request is another one.
            return "not needed".to_owned();
        }
        let answer = stack.api.send(self.request(stack)).await;
        let expected: &[u16] = match self.kind {
            OperationKind::Onboard => &[200, 201],
            OperationKind::CreateActor => &[201],
            OperationKind::Delete | OperationKind::DeleteActor => &[204, 404],
            _ => &[200],
        };
        let said = format!("{failpoint}: {} {}", answer.status, answer.text);
        assert!(expected.contains(&answer.status), "{said}");
        if let Some(actors) = &self.actors
            && self.kind != OperationKind::Onboard
        {
            let left = actors.count(stack, &self.name()).await;
            let wanted = usize::from(self.kind == OperationKind::CreateActor);
            assert_eq!(left, wanted, "{said}");
            return answer.status.to_string();
        }
        self.connection(stack).await;
        match self.kind {
            OperationKind::Heal | OperationKind::Rollback => {
                let version = self.version(stack).await;
                assert_eq!(version, self.before + 1, "{said}");
            }
            OperationKind::Update => {
                let row = connection(stack, &self.id).await;
                assert_eq!(row["name"], self.name(), "{said}");
                assert_eq!(row["drift_policy"], "auto", "{said}");
            }
            OperationKind::Delete => {
                let gone = stack.api.get(&format!("/connections/{}", self.id)).await;
                gone.expect_problem(404, "connection_not_found");
            }
            _ => {}
        }
        answer.status.to_string()
    }

    /// What leaves a refresh, or a sync alone: a new column of a stream that is read by a cursor, or
    /// a column that goes.
    async fn drift(&self, stack: &Stack, step: Step) {
        if step == steps::sync::START_REFRESH {
            return self.add_column(stack).await;
        }
        let heal = format!("/connections/{}/heal", self.id);
        self.add_column(stack).await;
        stack.api.post_empty(&heal).await.expect(200);
        self.is_idle(stack).await;
        let statement = format!("ALTER TABLE orders DROP COLUMN c{}", self.number);
        stack.sqlite("shop.db", &statement).await;
    }

    /// One heal left one job, whichever process crashed.
    async fn was_left_once(&self, stack: &Stack, failpoint: &str) {
        let jobs = self.jobs(stack).await;
        for job in &jobs {
            stack.job_ended(job).await;
        }
        assert_eq!(jobs.len() as i64, self.before + 1, "{failpoint}");
        let newest = jobs.iter().max_by_key(|job| job.parse::<i64>().unwrap());
        let told = stack.api.get(&format!("/jobs/{}", newest.unwrap())).await;
        let told = told.expect(200);
        let kind = if failpoint.contains("start_refresh") {
            "refresh"
        } else {
            "sync"
        };
        assert_eq!(told["job_type"], kind, "{failpoint}: {told}");
        assert_eq!(told["started_by"], "aam", "{failpoint}: {told}");
    }

    /// A trigger that had started created one job, whichever process crashed.
    async fn was_started_once(&self, stack: &Stack, failpoint: &str) -> String {
        let operations = format!("/connections/{}/operations", self.id);
        let all = stack.api.get(&operations).await.expect(200);
        let triggers = all.as_array().unwrap().iter();
        let triggers = triggers.filter(|one| one["kind"] == "trigger").count() as i64;
        let jobs = self.jobs(stack).await.len() as i64;
        assert_eq!(triggers, jobs, "{failpoint}");
        assert!(jobs - self.before <= 1, "{failpoint}");
        format!("{} job", jobs - self.before)
    }

    async fn is_whole(&self, stack: &Stack, failpoint: &str, versions: i64) {
        let row = connection(stack, &self.id).await;
        assert_eq!(row["status"], "ACTIVE", "{failpoint}: {row}");
        assert_eq!(row["catalog_version"], versions, "{failpoint}: {row}");
        let catalogs = format!("/connections/{}/catalogs", self.id);
        let all = stack.api.get(&catalogs).await.expect(200);
        let numbers: Vec<i64> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["version"].as_i64().unwrap())
            .collect();
        let expected: Vec<i64> = (1..=versions).rev().collect();
        assert_eq!(numbers, expected, "{failpoint}");
    }

    async fn version(&self, stack: &Stack) -> i64 {
        let row = connection(stack, &self.id).await;
        row["catalog_version"].as_i64().unwrap()
    }

    /// Waits until no job and no operation of the connection is under way.
    async fn is_idle(&self, stack: &Stack) {
        if matches!(self.kind, OperationKind::Onboard | OperationKind::Delete) {
            return;
        }
        super::drained(stack, &self.id, self.kind.as_str()).await;
        for job in self.jobs(stack).await {
            stack.job_ended(&job).await;
        }
    }

    /// The ids of Airbyte's jobs of the connection.
    async fn jobs(&self, stack: &Stack) -> Vec<String> {
        let row = connection(stack, &self.id).await;
        let airbyte = stack.airbyte_api().await;
        let id = text(&row, "airbyte_connection_id");
        let path = format!("/api/public/v1/jobs?connectionId={id}&limit=100");
        let jobs = airbyte.get(&path).await.expect(200);
        let jobs = jobs["data"].as_array().unwrap().iter();
        jobs.map(|job| job["jobId"].to_string()).collect()
    }
}

fn text(row: &Value, member: &str) -> String {
    row[member].as_str().unwrap().to_owned()
}
