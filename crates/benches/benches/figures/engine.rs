//! An embedded Airbyte on its own, asked by its public API.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::process::{Running, children, memory};

/// Between two looks at a job.
const POLL: Duration = Duration::from_millis(20);

/// For an answer: a connector may be installed first.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running engine.
pub(crate) struct Engine {
    running: Running,
    root: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    token: String,
    workspace: String,
}

/// What a sync took.
pub(crate) struct Synced {
    pub(crate) took: Duration,
    /// Peak memory of the engine, and of the connector that had most.
    pub(crate) engine: u64,
    pub(crate) connector: u64,
}

impl Engine {
    /// Starts one in `folder` that offers `replay`: a source that prints a file of messages.
    pub(crate) fn start(folder: &Path, records: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir(folder)?;
        let connectors = folder.join("connectors.json");
        std::fs::write(&connectors, replay(folder, records)?.to_string())?;
        let flag = connectors.to_string_lossy().into_owned();
        let args = ["--local-connectors", flag.as_str(), "serve"];
        let running = Running::start("embedded_airbyte", &args, &[], folder, "\"listening\"")?;
        let line: Value =
            serde_json::from_str(running.ready_line.lines().last().unwrap_or_default())?;
        let address = line["address"].as_str().context("it prints no address")?;
        local::install_tls_provider();
        let mut engine = Self {
            root: format!("http://{address}/api/public/v1"),
            running,
            client: http_client::build()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            token: String::new(),
            workspace: String::new(),
        };
        let keys = std::fs::read_to_string(folder.join("home/keys/airbyte_client"))?;
        let (id, secret) = keys.trim().split_once('\n').context("two lines")?;
        let body = json!({"client_id": id, "client_secret": secret});
        engine.token = text(&engine.post("/applications/token", &body)?, "access_token")?;
        let list = engine.get("/workspaces")?;
        engine.workspace = text(&list["data"][0], "workspaceId")?;
        Ok(engine)
    }

    /// A source or destination with this configuration; answers its id.
    pub(crate) fn actor(&self, kind: &str, configuration: Value) -> anyhow::Result<String> {
        let body = json!({"name": kind, "workspaceId": self.workspace,
            "configuration": configuration});
        let made = self.post(&format!("/{kind}s"), &body)?;
        text(&made, &format!("{kind}Id"))
    }

    /// Syncs one stream between them to the job's end.
    pub(crate) fn sync(
        &self,
        source: &str,
        destination: &str,
        stream: &Value,
        prefix: &str,
    ) -> anyhow::Result<Synced> {
        let body = json!({"sourceId": source, "destinationId": destination, "prefix": prefix,
            "configurations": {"streams": [stream]}});
        let connection = text(&self.post("/connections", &body)?, "connectionId")?;
        let begun = Instant::now();
        let body = json!({"connectionId": connection, "jobType": "sync"});
        let job = self.post("/jobs", &body)?["jobId"].to_string();
        let mut connector = 0;
        loop {
            let now = self.get(&format!("/jobs/{job}"))?;
            match now["status"].as_str() {
                Some("succeeded") => break,
                Some("failed" | "cancelled") => anyhow::bail!("the sync failed: {now}"),
                _ => {}
            }
            let processes = children(self.running.id(), &[]);
            let peak = processes.iter().filter_map(|id| memory(*id, "VmHWM")).max();
            connector = connector.max(peak.unwrap_or_default());
            std::thread::sleep(POLL);
        }
        Ok(Synced {
            took: begun.elapsed(),
            engine: memory(self.running.id(), "VmHWM").unwrap_or_default(),
            connector,
        })
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.client.get(format!("{}{path}", self.root)))
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.client.post(format!("{}{path}", self.root)).json(body))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let request = request
            .bearer_auth(&self.token)
            // Nothing keeps a connection open while a connector is measured alone.
            .header("connection", "close")
            .timeout(PATIENCE);
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            let body = answer.text().await?;
            anyhow::ensure!(status.is_success(), "{status}: {body}");
            Ok(serde_json::from_str(&body)?)
        })
    }
}

fn text(value: &Value, member: &str) -> anyhow::Result<String> {
    let found = value[member].as_str();
    Ok(found
        .with_context(|| format!("no {member} in {value}"))?
        .to_owned())
}

/// The definition of a source that is a script.
fn replay(folder: &Path, records: &Path) -> anyhow::Result<Value> {
    use std::os::unix::fs::PermissionsExt as _;
    let script = folder.join("replay");
    let properties: serde_json::Map<String, Value> = [
        ("id", json!({"type": "integer"})),
        ("name", json!({"type": "string"})),
        ("email", json!({"type": "string"})),
        ("age", json!({"type": "integer"})),
        ("score", json!({"type": "number"})),
        ("active", json!({"type": "boolean"})),
        ("country", json!({"type": "string"})),
        (
            "created_at",
            json!({"type": "string", "format": "date-time"}),
        ),
        (
            "updated_at",
            json!({"type": "string", "format": "date-time"}),
        ),
        ("note", json!({"type": "string"})),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .into_iter()
    .collect();
    let catalog = json!({"type": "CATALOG", "catalog": {"streams": [{"name": "events",
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": true, "default_cursor_field": ["id"],
        "source_defined_primary_key": [["id"]]}]}});
    let spec = json!({"type": "SPEC", "spec": {"connectionSpecification": {"type": "object"}}});
    let checked = json!({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}});
    let text = format!(
        "#!/bin/sh\ncase $1 in\nspec) echo '{spec}' ;;\ncheck) echo '{checked}' ;;\n\
         discover) echo '{catalog}' ;;\nread) exec cat '{}' ;;\nesac\n",
        records.display()
    );
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    Ok(json!([{
        "definition_id": uuid::Uuid::new_v4(), "kind": "source", "name": "Replay",
        "docker_repository": "bench/source-replay", "version": "1.0.0",
        "program": script.canonicalize()?,
    }]))
}
