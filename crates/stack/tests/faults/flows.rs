//! The flows that are interrupted, and what must be true of each afterwards.

use serde_json::{Value, json};
use test_support::{Answer, Stack, eventually_within};

use std::time::Duration;

const RECOVERY: Duration = Duration::from_secs(90);

/// What a caller asks for while something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Onboard,
    Sync,
    Heal,
    List,
    Credentials,
}

impl Flow {
    pub(crate) const ALL: [Self; 5] = [
        Self::Onboard,
        Self::Sync,
        Self::Heal,
        Self::List,
        Self::Credentials,
    ];
}

/// A stack with a connection, and what is known of it.
pub(crate) struct Shop {
    pub(crate) stack: Stack,
    id: String,
    airbyte_id: Value,
    /// Numbers cells, so that each has names of its own.
    cells: usize,
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
        }
    }

    /// What a cell begins with.
    pub(crate) async fn prepare(&mut self, flow: Flow) -> Before {
        self.cells += 1;
        if flow == Flow::Heal {
            let alter = format!("ALTER TABLE orders ADD COLUMN c{} TEXT", self.cells);
            self.stack.sqlite("shop.db", &alter).await;
        }
        Before {
            objects: self.stack.airbyte_objects().await,
            version: self.row().await["catalog_version"].as_i64().unwrap(),
            jobs: self.airbyte_jobs().await.len(),
        }
    }

    /// Asks for the flow once.
    pub(crate) async fn ask(&self, flow: Flow) -> Answer {
        let (api, id) = (&self.stack.api, &self.id);
        match flow {
            Flow::Onboard => {
                let name = format!("cell{}", self.cells);
                let body = json!({
                    "source_type": "sqlite", "connection_name": name,
                    "prefix": format!("{name}_"),
                    "source_config": {"path": self.stack.data().join("shop.db")},
                });
                api.post("/connections/onboard", &body).await
            }
            Flow::Sync => api.post_empty(&format!("/connections/{id}/sync")).await,
            Flow::Heal => {
                let body = json!({"accept": "all"});
                api.post(&format!("/connections/{id}/heal"), &body).await
            }
            Flow::List => api.get("/connections").await,
            Flow::Credentials => {
                let body = json!({"source_type": "salesforce", "kind": "raw",
                    "secret": {"client_secret": format!("s{}", self.cells)}});
                self.stack.broker_api.put("/credentials/crm", &body).await
            }
        }
    }

    /// Asks again until it is done, and checks what is left: one of everything.
    pub(crate) async fn recover(&self, flow: Flow, before: &Before) -> Result<(), String> {
        let done = eventually_within(RECOVERY, async || {
            let answer = self.ask(flow).await;
            let waits =
                flow == Flow::Heal && answer.status == 200 && answer.json()["outcome"] == "waiting";
            if answer.status < 300 && !waits {
                Ok(answer)
            } else {
                Err(answer)
            }
        })
        .await;
        match flow {
            Flow::Onboard => {
                let made = done.json();
                let expected = (before.objects.0 + 1, before.objects.1 + 1);
                self.settled(async || self.stack.airbyte_objects().await, expected)
                    .await?;
                check(made["status"] == "ACTIVE", || made.to_string())
            }
            Flow::Sync => {
                let job = done.json()["job_id"].as_str().unwrap().to_owned();
                let ended = self.stack.job_ended(&job).await;
                check(ended["status"] == "succeeded", || ended.to_string())?;
                self.jobs_agree(before.jobs + 2).await
            }
            Flow::Heal => {
                self.settled(
                    async || self.version_and_status().await,
                    (before.version + 1, "ACTIVE".to_owned()),
                )
                .await?;
                // The sync that follows a heal would hold up the next cell.
                self.jobs_agree(usize::MAX).await
            }
            Flow::List | Flow::Credentials => Ok(()),
        }
    }

    async fn settled<T: PartialEq + std::fmt::Debug>(
        &self,
        mut now: impl AsyncFnMut() -> T,
        expected: T,
    ) -> Result<(), String> {
        eventually_within(RECOVERY, async || {
            let seen = now().await;
            if seen == expected {
                Ok(())
            } else {
                Err((seen, "expected", format!("{expected:?}")))
            }
        })
        .await;
        Ok(())
    }

    /// Connections to a database that broke are met once each before they are made anew.
    async fn row(&self) -> Value {
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
        let row = self.row().await;
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

/// What there was before a cell.
pub(crate) struct Before {
    objects: (usize, usize),
    version: i64,
    jobs: usize,
}

fn check(holds: bool, said: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(said()) }
}
