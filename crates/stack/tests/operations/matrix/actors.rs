//! Separate sources and destinations, and what is created from them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::registry::status::OperationKind;
use test_support::{Stack, eventually_within};

use super::Subject;

/// What operations work on besides connections with their own source.
pub(super) struct Actors {
    subject: Subject,
    /// What an ingestion is made of.
    source: Value,
    sink: Value,
    /// What a removal removes.
    removed: String,
}

impl Actors {
    pub(super) async fn of(subject: Subject, stack: &Stack) -> Option<Self> {
        let mut actors = Self {
            subject,
            source: Value::Null,
            sink: Value::Null,
            removed: String::new(),
        };
        match subject {
            Subject::Connection => return None,
            Subject::Ingestion => {
                let made = actors.create(stack, "/datasource", "shared").await;
                actors.source = made["sourceId"].clone();
                let sinks = stack.api.get("/sink").await.expect(200);
                actors.sink = sinks["destinations"][0]["destinationId"].clone();
            }
            Subject::Datasource | Subject::Sink => {}
        }
        Some(actors)
    }

    async fn create(&self, stack: &Stack, path: &str, name: &str) -> Value {
        let body = self.body(stack, name);
        stack.api.post(path, &body).await.expect(201)
    }

    fn body(&self, stack: &Stack, name: &str) -> Value {
        let file = match self.subject {
            Subject::Sink => stack.data().join(format!("{name}-lake")),
            _ => stack.data().join("shop.db"),
        };
        match self.subject {
            Subject::Sink => {
                json!({"name": name, "type": "parquet", "config": {"path": file}})
            }
            _ => json!({"name": name, "type": "sqlite", "config": {"path": file}}),
        }
    }

    fn path(&self) -> &'static str {
        match self.subject {
            Subject::Sink => "/sink",
            _ => "/datasource",
        }
    }

    /// The state that a cell begins with; an ingestion of the cell before makes room for the next.
    pub(super) async fn prepare(
        &mut self,
        stack: &Stack,
        kind: OperationKind,
        name: &str,
        before: Option<&str>,
    ) {
        if let Some(before) = before {
            let path = format!("/ingestion/{before}");
            let deleted = stack.api.delete(&path).await;
            assert_eq!(deleted.status, 204, "{}", deleted.text);
        }
        if kind == OperationKind::DeleteActor {
            let made = self.create(stack, self.path(), name).await;
            self.removed = made["id"].as_str().unwrap().to_owned();
        }
    }

    pub(super) fn request(
        &self,
        stack: &Stack,
        kind: OperationKind,
        name: &str,
    ) -> reqwest::RequestBuilder {
        let post = |path: &str, body: &Value| stack.api.request(Method::POST, path).json(body);
        match kind {
            OperationKind::CreateActor => post(self.path(), &self.body(stack, name)),
            OperationKind::DeleteActor => {
                let path = format!("{}/{}", self.path(), self.removed);
                stack.api.request(Method::DELETE, &path)
            }
            _ => {
                let schedule = json!({"scheduleType": "cron", "cronExpression": "0 3 * * *"});
                let body = json!({"name": name, "sourceId": self.source, "sinkId": self.sink, "schedule": schedule});
                post("/ingestion", &body)
            }
        }
    }

    /// How many of that name there are.
    pub(super) async fn count(&self, stack: &Stack, name: &str) -> usize {
        let path = format!("{}?name={name}", self.path());
        let listed = stack.api.get(&path).await.expect(200);
        usize::try_from(listed["total"].as_u64().unwrap()).unwrap()
    }

    /// Waits until the operation has ended; how.
    pub(super) async fn recovered(
        &self,
        stack: &Stack,
        kind: OperationKind,
        name: &str,
        failpoint: &str,
    ) -> String {
        eventually_within(Duration::from_secs(60), async || {
            let open = stack.api.get("/operations?status=pending,running").await;
            match open.expect(200).as_array().unwrap().as_slice() {
                [] => Ok(()),
                open => Err(format!("{failpoint}: {open:?} are under way")),
            }
        })
        .await;
        let left = self.count(stack, name).await;
        let is_stored = ["commit_actor.acted", "commit_actor.after"]
            .iter()
            .any(|last| failpoint.ends_with(last));
        let wanted = usize::from(kind == OperationKind::CreateActor && is_stored);
        assert_eq!(left, wanted, "{failpoint}");
        let ended = match (kind, left) {
            (OperationKind::CreateActor, 0) => "undone",
            (OperationKind::CreateActor, _) => "made",
            _ => "removed",
        };
        format!("{} {ended}", kind.as_str())
    }

    /// Everything in Airbyte has an owner.
    pub(super) async fn verify(&self, stack: &Stack, failpoint: &str) {
        let orphans = stack.api.get("/orphans?older_than=0").await.expect(200);
        assert_eq!(orphans, json!([]), "{failpoint}");
        if self.subject == Subject::Ingestion {
            let known = stack.api.get("/ingestion").await.expect(200);
            let failed = |row: &&Value| row["status"] == "failed";
            let rows = known["connections"].as_array().unwrap();
            let active = rows.len() - rows.iter().filter(failed).count();
            // The datasource stays, even if its ingestions are deleted.
            assert_eq!(
                stack.airbyte_objects().await,
                (1, active),
                "{failpoint}: {known:#}"
            );
        }
    }
}
