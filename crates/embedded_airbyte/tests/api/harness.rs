//! Starting an engine, talking to it, waiting for what it does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use embedded_airbyte::{Application, ConnectorKind, LocalConnector, Options};
use local::seal::SealingKey;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::{Uuid, uuid};

pub(crate) const SALESFORCE: Uuid = uuid!("b117307c-14b6-41aa-9422-947e34922962");
pub(crate) const RECORDER: Uuid = uuid!("00000000-0000-4000-8000-000000000001");
pub(crate) const REFRESHING: Uuid = uuid!("00000000-0000-4000-8000-000000000002");
pub(crate) const CLIENT_ID: &str = "test-client";
pub(crate) const CLIENT_SECRET: &str = "test-secret";
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory shared by an engine and its restarts.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("control")).unwrap();
        Self { directory }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn control(&self) -> PathBuf {
        self.path("control")
    }

    /// Switches a misbehaviour of the connectors on.
    pub(crate) fn set(&self, name: &str, text: &str) {
        std::fs::write(self.control().join(name), text).unwrap();
    }

    /// Switches it off.
    pub(crate) fn unset(&self, name: &str) {
        let _ = std::fs::remove_file(self.control().join(name));
    }

    /// The engine's own database of written rows.
    pub(crate) fn warehouse(&self) -> PathBuf {
        self.home().join("warehouse.db")
    }

    /// What a connector left.
    pub(crate) fn left(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.control().join(name)).ok()
    }

    /// Every configuration that the source was given.
    pub(crate) fn recorded(&self) -> Vec<Value> {
        lines(&self.path("configurations.jsonl"))
    }

    /// Everything that the destination was given.
    pub(crate) fn written(&self) -> Vec<Value> {
        lines(&self.path("written.jsonl"))
    }

    /// Ids of the records that the destination was given.
    pub(crate) fn written_ids(&self) -> Vec<String> {
        let written = self.written();
        let ids = written.iter().filter(|line| line["type"] == "RECORD");
        ids.map(|line| line["record"]["data"]["Id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn connectors(&self) -> Vec<LocalConnector> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let connector = |definition_id, kind, name: &str, repository: &str, args| LocalConnector {
            definition_id,
            kind,
            name: name.to_owned(),
            docker_repository: repository.to_owned(),
            version: "1.0.0".to_owned(),
            program: test_support::binary("recording_connector"),
            args,
            supports_refreshes: definition_id == REFRESHING,
        };
        let control = ["--control".to_owned(), text(self.control())];
        let mut source = vec![
            "--record".to_owned(),
            text(self.path("configurations.jsonl")),
        ];
        source.extend(control.clone());
        let mut target = vec![
            "--destination".to_owned(),
            "--out".to_owned(),
            text(self.path("written.jsonl")),
        ];
        target.extend(control);
        let (from, to) = (ConnectorKind::Source, ConnectorKind::Destination);
        vec![
            connector(
                SALESFORCE,
                from,
                "Salesforce",
                "airbyte/source-salesforce",
                source,
            ),
            connector(
                RECORDER,
                to,
                "Recorder",
                "test/destination-recorder",
                target.clone(),
            ),
            connector(
                REFRESHING,
                to,
                "Refreshing",
                "test/destination-refreshing",
                target,
            ),
        ]
    }

    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(
            self.home(),
            CLIENT_ID.to_owned(),
            CLIENT_SECRET.to_owned().into(),
            SealingKey::derive(&[3; 32], "test"),
            env!("CARGO_BIN_EXE_embedded_airbyte").into(),
        );
        options.bind.1 = 0;
        options.http_workers = 1;
        options.data_roots = vec![self.directory.path().to_owned()];
        options.local_connectors = self.connectors();
        options.retry.first_delay = Duration::from_millis(1);
        options.timing.checkpoint = Duration::from_millis(20);
        options.timing.kill_grace = Duration::from_millis(300);
        options
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// A running engine and a client with a token.
pub(crate) struct Engine {
    pub(crate) place: Arc<Place>,
    pub(crate) api: Api,
    stop: CancellationToken,
    task: JoinHandle<Result<(), embedded_airbyte::Error>>,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        Self::start_at(Arc::new(Place::new()), change).await
    }

    pub(crate) async fn start_at(place: Arc<Place>, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = place.options();
        change(&mut options);
        let application = Application::build(options).await.unwrap();
        let root = format!("http://{}", application.address());
        let stop = CancellationToken::new();
        let task = tokio::spawn(application.run_until(stop.clone()));
        let api = Api::connect(root).await;
        Self {
            place,
            api,
            stop,
            task,
        }
    }

    /// Stops the engine as a signal would.
    pub(crate) async fn stop(self) -> Arc<Place> {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.place
    }

    pub(crate) async fn restart(self) -> Self {
        let place = self.stop().await;
        Self::start_at(place, |_| {}).await
    }
}

/// A client of an engine.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) root: String,
    pub(crate) client: reqwest::Client,
    pub(crate) token: String,
}

/// A status and the JSON that came with it; null when there was none.
pub(crate) type Answer = (StatusCode, Value);

impl Api {
    pub(crate) async fn connect(root: String) -> Self {
        local::install_tls_provider();
        let client = http_client::builder().timeout(DEADLINE).build().unwrap();
        let mut api = Self {
            root,
            client,
            token: String::new(),
        };
        let body = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET});
        let (status, answer) = api
            .send(
                Method::POST,
                "/api/public/v1/applications/token",
                Some(body),
            )
            .await;
        assert_eq!(status, 200, "{answer}");
        api.token = answer["access_token"].as_str().unwrap().to_owned();
        api
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.root));
        if self.token.is_empty() {
            request
        } else {
            request.bearer_auth(&self.token)
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, &format!("/api/public/v1{path}"), None)
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, &format!("/api/public/v1{path}"), Some(body))
            .await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, &format!("/api/public/v1{path}"), Some(body))
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, &format!("/api/public/v1{path}"), None)
            .await
    }

    /// A call of the Config API.
    pub(crate) async fn config(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, &format!("/api/v1{path}"), Some(body))
            .await
    }

    /// A call of the Config API that must succeed.
    pub(crate) async fn config_ok(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.config(path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) async fn workspace(&self) -> String {
        let (status, list) = self.get("/workspaces").await;
        assert_eq!(status, 200, "{list}");
        text(&list["data"][0]["workspaceId"])
    }

    pub(crate) fn salesforce() -> Value {
        json!({"sourceType": "salesforce", "client_id": "id-of-client",
            "client_secret": "secret-of-client", "refresh_token": "token-to-refresh",
            "is_sandbox": false, "auth_type": "Client", "start_date": "2024-01-01T00:00:00Z"})
    }

    pub(crate) async fn source(&self) -> String {
        let workspace = self.workspace().await;
        let body = json!({"name": "Salesforce Production", "workspaceId": workspace,
            "configuration": Self::salesforce()});
        let (status, source) = self.post("/sources", body).await;
        assert_eq!(status, 200, "{source}");
        text(&source["sourceId"])
    }

    pub(crate) async fn destination(&self, short_name: &str) -> String {
        let workspace = self.workspace().await;
        if short_name == "sqlite" {
            // The engine's own, which writes to its warehouse.
            let (_, list) = self.get("/destinations").await;
            let all = list["data"].as_array().unwrap();
            let local = all.iter().find(|entry| entry["name"] == "local").unwrap();
            return text(&local["destinationId"]);
        }
        let body = json!({"name": "target", "workspaceId": workspace,
            "configuration": {"destinationType": short_name, "token": "token-of-target"}});
        let (status, destination) = self.post("/destinations", body).await;
        assert_eq!(status, 200, "{destination}");
        text(&destination["destinationId"])
    }

    /// A connection of new ends with these streams.
    pub(crate) async fn connection(&self, target: &str, streams: Value) -> String {
        let (source, destination) = (self.source().await, self.destination(target).await);
        let body = json!({"sourceId": source, "destinationId": destination,
            "configurations": {"streams": streams}});
        let (status, connection) = self.post("/connections", body).await;
        assert_eq!(status, 200, "{connection}");
        text(&connection["connectionId"])
    }

    /// A connection that reads `Account` incrementally.
    pub(crate) async fn accounts(&self, target: &str) -> String {
        let streams = json!([{"name": "Account", "syncMode": "incremental_deduped_history"}]);
        self.connection(target, streams).await
    }

    pub(crate) async fn start_sync(&self, connection: &str) -> i64 {
        let body = json!({"connectionId": connection, "jobType": "sync"});
        let (status, job) = self.post("/jobs", body).await;
        assert_eq!(status, 200, "{job}");
        job["jobId"].as_i64().unwrap()
    }

    /// The Config API's view of a job once it has ended.
    pub(crate) async fn ended(&self, job: i64) -> Value {
        eventually(&format!("job {job} ends"), async || {
            let info = self.config_ok("/jobs/get", json!({"id": job})).await;
            let status = info["job"]["status"].as_str().unwrap_or_default();
            if ["succeeded", "failed", "cancelled"].contains(&status) {
                Ok(info)
            } else {
                Err(status.to_owned())
            }
        })
        .await
    }

    /// Waits until the connection's state has come to a record.
    pub(crate) async fn state_at(&self, connection: &str, index: u32) {
        eventually(&format!("state {index} is kept"), async || {
            let body = json!({"connectionId": connection});
            let state = self.config_ok("/state/get", body).await;
            if state["streamState"][0]["streamState"]["index"] == index {
                Ok(())
            } else {
                Err(state.to_string())
            }
        })
        .await;
    }

    /// Runs a sync to its end, which must be a good one.
    pub(crate) async fn sync(&self, connection: &str) -> Value {
        let job = self.start_sync(connection).await;
        let info = self.ended(job).await;
        assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
        info
    }

    pub(crate) async fn job_status(&self, job: i64) -> String {
        let (status, view) = self.get(&format!("/jobs/{job}")).await;
        assert_eq!(status, 200, "{view}");
        text(&view["status"])
    }
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// Asks until the answer is there; the error is what was seen last.
pub(crate) async fn eventually<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(seen) => assert!(started.elapsed() < DEADLINE, "{what}: last seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for a file that a connector leaves.
pub(crate) async fn left(place: &Place, name: &str) -> String {
    eventually(&format!("a connector leaves {name}"), async || {
        place.left(name).ok_or_else(|| "nothing".to_owned())
    })
    .await
}

/// Whether a process is there and no zombie.
pub(crate) fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}
