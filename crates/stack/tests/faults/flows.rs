//! The flows that are interrupted, and what must be true of each afterwards.

use serde_json::{Value, json};
use test_support::{Answer, Stack, eventually_within};

use std::time::{Duration, Instant};

use crate::table::{self, Row};

const RECOVERY: Duration = Duration::from_secs(90);
/// No answer may take longer: the time-outs of the stacks are short.
const LONGEST: Duration = Duration::from_secs(90);

/// What a caller asks for while something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Onboard,
    Sync,
    Heal,
    Rollback,
    Delete,
    List,
    Credentials,
}

impl Flow {
    /// A heal comes before a rollback, which needs an earlier version to go back to.
    pub(crate) const ALL: &[Self] = &[
        Self::Onboard,
        Self::Sync,
        Self::Heal,
        Self::Rollback,
        Self::Delete,
        Self::List,
        Self::Credentials,
    ];
}

/// A stack with a connection, and what is known of it.
pub(crate) struct Shop {
    pub(crate) stack: Stack,
    pub(crate) id: String,
    airbyte_id: Value,
    /// Numbers cells, so that each has its own names.
    cells: usize,
    /// The connection that a deletion removes.
    doomed: String,
}

impl Shop {
    pub(crate) async fn new(stack: Stack) -> Self {
        stack
            .sqlite(
                "shop.db",
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
                 INSERT INTO orders (note) VALUES ('a')",
            )
            .await;
        let id = stack.onboard_sqlite("shop", "shop.db").await;
        stack.sync(&id).await;
        let row = stack
            .api
            .get(&format!("/connections/{id}"))
            .await
            .expect(200);
        Self {
            airbyte_id: row["airbyte_connection_id"].clone(),
            stack,
            id,
            cells: 0,
            doomed: String::new(),
        }
    }

    /// What a cell begins with.
    pub(crate) async fn prepare(&mut self, flow: Flow) -> Before {
        self.cells += 1;
        match flow {
            Flow::Heal => {
                let alter = format!("ALTER TABLE orders ADD COLUMN c{} TEXT", self.cells);
                self.stack.sqlite("shop.db", &alter).await;
            }
            Flow::Delete => {
                let name = format!("gone{}", self.cells);
                let made = eventually_within(RECOVERY, async || {
                    let answer = self.onboard(&name).await;
                    if answer.status < 300 {
                        Ok(answer.json())
                    } else {
                        Err(answer)
                    }
                })
                .await;
                self.doomed = made["id"].as_str().unwrap().to_owned();
            }
            _ => {}
        }
        Before {
            objects: self.stack.airbyte_objects().await,
            version: self.connection().await["catalog_version"].as_i64().unwrap(),
            jobs: self.airbyte_jobs().await.len(),
        }
    }

    /// Asks for the flow once.
    pub(crate) async fn ask(&self, flow: Flow, before: &Before) -> Answer {
        let (api, id) = (&self.stack.api, &self.id);
        match flow {
            Flow::Onboard => self.onboard(&format!("cell{}", self.cells)).await,
            Flow::Sync => api.post_empty(&format!("/connections/{id}/sync")).await,
            Flow::Heal => {
                let body = json!({"accept": "all"});
                api.post(&format!("/connections/{id}/heal"), &body).await
            }
            Flow::Rollback => {
                let body = json!({"version": before.version - 1});
                api.post(&format!("/connections/{id}/rollback"), &body)
                    .await
            }
            Flow::Delete => api.delete(&format!("/connections/{}", self.doomed)).await,
            Flow::List => api.get("/connections").await,
            Flow::Credentials => {
                let body = json!({"source_type": "salesforce", "kind": "raw",
                    "secret": {"client_secret": format!("s{}", self.cells)}});
                self.stack.broker_api.put("/credentials/crm", &body).await
            }
        }
    }

    async fn onboard(&self, name: &str) -> Answer {
        let body = json!({
            "source_type": "sqlite", "connection_name": name, "prefix": format!("{name}_"),
            "source_config": {"path": self.stack.data().join("shop.db")},
        });
        self.stack.api.post("/connections/onboard", &body).await
    }

    /// Asks again until it is done.
    pub(crate) async fn repeat(&self, flow: Flow, before: &Before) -> Answer {
        eventually_within(RECOVERY, async || {
            let answer = self.ask(flow, before).await;
            if is_done(flow, &answer) {
                Ok(answer)
            } else {
                Err(answer)
            }
        })
        .await
    }

    /// A row of a table: asks once between `break_it` and `mend`, then again until it is done, and
    /// checks what is left.
    pub(crate) async fn row(
        &mut self,
        dependency: &'static str,
        fault: &'static str,
        flow: Flow,
        break_it: impl AsyncFnOnce(&Stack),
        mend: impl AsyncFnOnce(&Stack),
    ) -> Row {
        let before = self.prepare(flow).await;
        break_it(&self.stack).await;
        let begun = Instant::now();
        let answer = self.ask(flow, &before).await;
        let took = begun.elapsed();
        let (got, is_honest) = table::read(&answer);
        mend(&self.stack).await;
        let at_once = is_done(flow, &answer);
        let done = if at_once {
            answer.clone()
        } else {
            self.repeat(flow, &before).await
        };
        if let Some(wire) = &self.stack.wires.airbyte {
            // Only now is it known whether a create that timed out leaves a second one.
            wire.landed().await;
        }
        let mut recovered = self.check(flow, &before, &done, at_once).await;
        if !is_honest || took > LONGEST {
            recovered = Err(format!("not an honest answer: {}", answer.text));
        }
        Row {
            dependency,
            fault,
            flow: format!("{flow:?}").to_lowercase(),
            got,
            took,
            recovered,
        }
    }

    /// What must hold when `done` was answered, to the first call or to a later one: it happened once, and nothing is left behind.
    pub(crate) async fn check(
        &self,
        flow: Flow,
        before: &Before,
        done: &Answer,
        at_once: bool,
    ) -> Result<(), String> {
        let (sources, connections) = before.objects;
        let mut objects = before.objects;
        let mut worked_on = &self.id;
        let made;
        match flow {
            Flow::Onboard => {
                objects = (sources + 1, connections + 1);
                let row = done.json();
                check(row["status"] == "ACTIVE", || row.to_string())?;
                made = row["id"].as_str().unwrap().to_owned();
                worked_on = &made;
            }
            Flow::Sync => {
                let job = done.json()["job_id"].as_str().unwrap().to_owned();
                let ended = self.stack.job_ended(&job).await;
                check(ended["status"] == "succeeded", || ended.to_string())?;
                // A caller who received a failure may start another one.
                let most = before.jobs + if at_once { 1 } else { 2 };
                self.jobs_agree(most).await?;
            }
            Flow::Heal | Flow::Rollback => {
                let expected = (before.version + 1, "ACTIVE".to_owned());
                self.becomes(async || self.version_and_status().await, expected)
                    .await;
                // The sync that follows a heal would hold up the next cell.
                self.jobs_agree(usize::MAX).await?;
            }
            Flow::Delete => {
                objects = (sources - 1, connections - 1);
                worked_on = &self.doomed;
            }
            Flow::List | Flow::Credentials => {}
        }
        self.becomes(async || self.stack.airbyte_objects().await, objects)
            .await;
        self.nothing_is_left(worked_on).await;
        Ok(())
    }

    /// No operation of the connection is in progress, and Airbyte has no orphan.
    async fn nothing_is_left(&self, id: &str) {
        let api = &self.stack.api;
        self.becomes(
            async || {
                let path = format!("/connections/{id}/operations");
                let all = api.get(&path).await.json();
                let all = all.as_array().cloned().unwrap_or_default();
                all.into_iter()
                    .filter(|one| matches!(one["status"].as_str(), Some("pending" | "running")))
                    .collect::<Vec<_>>()
            },
            Vec::new(),
        )
        .await;
        let orphans = async || api.get("/orphans?older_than=0").await.json();
        self.becomes(orphans, json!([])).await;
    }

    async fn becomes<T: PartialEq + std::fmt::Debug>(
        &self,
        mut now: impl AsyncFnMut() -> T,
        expected: T,
    ) {
        eventually_within(RECOVERY, async || {
            let seen = now().await;
            if seen == expected {
                Ok(())
            } else {
                Err((seen, "expected", format!("{expected:?}")))
            }
        })
        .await;
    }

    /// Each broken connection to a database fails once before it is replaced.
    pub(crate) async fn connection(&self) -> Value {
        eventually_within(RECOVERY, async || {
            let path = format!("/connections/{}", self.id);
            let answer = self.stack.api.get(&path).await;
            assert_ne!(answer.status, 500, "{}", answer.text);
            if answer.status == 200 {
                Ok(answer.json())
            } else {
                Err(answer)
            }
        })
        .await
    }

    async fn version_and_status(&self) -> (i64, String) {
        let row = self.connection().await;
        let status = row["status"].as_str().unwrap().to_owned();
        (row["catalog_version"].as_i64().unwrap(), status)
    }

    async fn airbyte_jobs(&self) -> Vec<Value> {
        let airbyte = self.stack.airbyte_api().await;
        let path = format!(
            "/api/public/v1/jobs?limit=100&orderBy=createdAt|DESC&connectionId={}",
            self.airbyte_id.as_str().unwrap()
        );
        airbyte.get(&path).await.expect(200)["data"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The registry and Airbyte know the same jobs, all of them ended, and no more than `most`.
    async fn jobs_agree(&self, most: usize) -> Result<(), String> {
        let agreed = eventually_within(RECOVERY, async || {
            let there = self.airbyte_jobs().await;
            let path = format!("/connections/{}/jobs", self.id);
            let here = self.stack.api.get(&path).await.json();
            let pairs = |jobs: &[Value], id: &str| {
                let mut pairs: Vec<(String, String)> = jobs
                    .iter()
                    .take(20)
                    .map(|job| {
                        (
                            job[id].to_string().replace('"', ""),
                            job["status"].as_str().unwrap_or("?").to_owned(),
                        )
                    })
                    .collect();
                pairs.sort();
                pairs
            };
            let mut here = here.as_array().cloned().unwrap_or_default();
            here.sort_by_key(|job| {
                std::cmp::Reverse(job["job_id"].as_str().unwrap().parse::<i64>().unwrap())
            });
            let (here, seen) = (pairs(&here, "job_id"), pairs(&there, "jobId"));
            let ended = seen
                .iter()
                .all(|(_, status)| matches!(status.as_str(), "succeeded" | "failed" | "cancelled"));
            if here == seen && ended {
                Ok(there.len())
            } else {
                Err((here, seen))
            }
        })
        .await;
        check(agreed <= most, || {
            format!("{agreed} jobs, {most} expected at most")
        })
    }
}

/// Whether a flow is done with that answer. A heal may wait for another one's job, and a deletion
/// may go on by itself.
fn is_done(flow: Flow, answer: &Answer) -> bool {
    match flow {
        Flow::Heal => answer.status == 200 && answer.json()["outcome"] != "waiting",
        Flow::Delete => matches!(answer.status, 204 | 404),
        _ => answer.status < 300,
    }
}

/// What there was before a cell.
pub(crate) struct Before {
    objects: (usize, usize),
    version: i64,
    jobs: usize,
}

fn check(holds: bool, said: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(said()) }
}
