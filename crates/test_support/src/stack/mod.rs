//! A whole stack for one test: one process or four, on free ports, with a separate folder.

mod stores;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::api::Api;
use crate::database::Database;
use crate::process::Process;
use crate::proxy::Proxy;
use crate::wire::Wire;

/// The operator's key of every test stack.
pub const KEY: &str = "aam_test_0123456789abcdef";

/// What a test's stack is made of.
#[derive(Debug)]
pub struct StackBuilder {
    database: Database,
    four: bool,
    variables: Vec<(String, String)>,
    local_connectors: Option<Value>,
    proxied: bool,
    wired: bool,
    disk_kb: Option<u64>,
}

/// What fails on demand between the services and what they depend on.
#[derive(Debug, Default)]
pub struct Wires {
    /// Before Airbyte.
    pub airbyte: Option<Wire>,
    /// Before the auth broker, for the orchestrator.
    pub broker: Option<Wire>,
    /// Before PostgreSQL, for every service.
    pub database: Option<Wire>,
    /// Before Redis, where a stack has one.
    pub redis: Option<Wire>,
}

/// A running stack. Its processes end before its database and its folder go.
#[derive(Debug)]
pub struct Stack {
    /// `aam up`, when it is one process.
    pub up: Option<Process>,
    /// The embedded Airbyte, if it is a separate process.
    pub airbyte: Option<Process>,
    /// The auth broker, if it is a separate process.
    pub broker: Option<Process>,
    /// The drift-repair agent, if it is a separate process.
    pub agent: Option<Process>,
    /// The orchestrator, if it is a separate process.
    pub orchestrator: Option<Process>,
    /// The orchestrator's API.
    pub api: Api,
    /// The auth broker's API.
    pub broker_api: Api,
    /// The drift-repair agent's API.
    pub agent_api: Api,
    /// Where the embedded Airbyte is.
    pub airbyte_root: String,
    /// What fails on demand between it and the services.
    pub proxy: Option<Proxy>,
    /// The same for everything, on the level of TCP.
    pub wires: Wires,
    /// The registry's database.
    pub database: Database,
    variables: Vec<(String, String)>,
    local_connectors: Option<PathBuf>,
    /// The root of the file system that its processes see.
    root: PathBuf,
    folder: tempfile::TempDir,
}

/// An onboarding of the recording connector's Salesforce.
pub fn salesforce(name: &str) -> Value {
    serde_json::json!({"source_type": "salesforce", "connection_name": name, "source_config": {
        "client_id": "a", "client_secret": "b", "refresh_token": "c", "is_sandbox": false,
        "auth_type": "Client", "start_date": "2024-01-01T00:00:00Z"}})
}

impl Default for StackBuilder {
    fn default() -> Self {
        Self {
            database: Database::Sqlite,
            four: false,
            variables: Vec::new(),
            local_connectors: None,
            proxied: false,
            wired: false,
            disk_kb: None,
        }
    }
}

impl StackBuilder {
    /// One process (`aam up`) on SQLite.
    pub fn one_process() -> Self {
        Self::default()
    }

    /// Four processes on `database`.
    pub fn four_processes(database: Database) -> Self {
        Self {
            database,
            four: true,
            ..Self::default()
        }
    }

    /// With a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With executables offered as connectors.
    #[must_use]
    pub fn local_connectors(mut self, connectors: Value) -> Self {
        self.local_connectors = Some(connectors);
        self
    }

    /// With a Salesforce whose discovers, checks and reads are delayed by files in `control`, as
    /// the recording connector documents.
    #[must_use]
    pub fn held_salesforce(self, control: &Path) -> Self {
        self.local_connectors(serde_json::json!([{
            "definition_id": "b117307c-14b6-41aa-9422-947e34922962", "kind": "source",
            "name": "Salesforce", "docker_repository": "airbyte/source-salesforce",
            "version": "2.7.0", "program": crate::process::binary("recording_connector"),
            "args": ["--control", control],
        }]))
    }

    /// With a proxy between the services and the embedded Airbyte that fails on demand; four
    /// processes only.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// With wires between the services and everything they depend on; four processes on PostgreSQL.
    #[must_use]
    pub fn wired(mut self) -> Self {
        self.wired = true;
        self
    }

    /// With the data directory on a disk of this many kilobytes; one process only. `None` if this
    /// machine does not permit separate file systems.
    #[must_use]
    pub fn on_disk(mut self, kilobytes: u64) -> Option<Self> {
        let allowed = std::process::Command::new("unshare")
            .args(["--map-root-user", "--user", "--mount", "true"])
            .status()
            .is_ok_and(|status| status.success());
        self.disk_kb = Some(kilobytes);
        allowed.then_some(self)
    }

    /// Starts it.
    pub async fn start(self) -> Stack {
        let folder = tempfile::tempdir().unwrap();
        // Logs and outputs of the processes are not part of their data.
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut variables = vec![
            ("AAM_HOME".to_owned(), text(folder.path().join("home"))),
            (
                "AAM_DATA_ROOTS".to_owned(),
                text(folder.path().join("data")),
            ),
            ("AAM_API_KEY".to_owned(), KEY.to_owned()),
            ("LOG_FORMAT".to_owned(), "json".to_owned()),
            ("LOG_LEVEL".to_owned(), "info".to_owned()),
        ];
        for port in [
            "ORCHESTRATOR",
            "AUTH_BROKER",
            "DRIFT_REPAIR",
            "EMBEDDED_AIRBYTE",
        ] {
            variables.push((format!("SERVICE_PORT_{port}"), "0".to_owned()));
        }
        // The same tests against an Airbyte that is harder to live with.
        if let Ok(mode) = std::env::var("AAM_TEST_AIRBYTE_MODE") {
            variables.push(("EMBEDDED_AIRBYTE_MODE".to_owned(), mode));
        }
        variables.extend(self.database.variables());
        variables.extend(self.variables);
        let local_connectors = self.local_connectors.map(|connectors| {
            let path = folder.path().join("connectors.json");
            std::fs::write(&path, connectors.to_string()).unwrap();
            path
        });
        let unset = Api::new("http://127.0.0.1:1", None);
        let mut stack = Stack {
            up: None,
            airbyte: None,
            broker: None,
            agent: None,
            orchestrator: None,
            api: unset.clone(),
            broker_api: unset.clone(),
            agent_api: unset,
            airbyte_root: String::new(),
            proxy: None,
            wires: Wires::default(),
            database: self.database,
            variables,
            local_connectors,
            root: PathBuf::from("/"),
            folder,
        };
        if self.four {
            if self.wired {
                stack.wire_stores().await;
            }
            stack.start_four(self.proxied, self.wired).await;
        } else {
            stack.start_one(self.disk_kb).await;
        }
        stack
    }
}

impl Stack {
    /// The folder that connectors may read and write.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The data directory.
    pub fn home(&self) -> PathBuf {
        let home = self.folder.path().join("home");
        match home.strip_prefix("/") {
            Ok(relative) => self.root.join(relative),
            Err(_) => home,
        }
    }

    /// The embedded Airbyte's first destination.
    pub fn warehouse(&self) -> PathBuf {
        self.home().join("warehouse.db")
    }

    /// The variables its processes were started with.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn connectors_flag(&self) -> Vec<String> {
        match &self.local_connectors {
            Some(path) => vec![
                "--local-connectors".to_owned(),
                path.to_string_lossy().into_owned(),
            ],
            None => Vec::new(),
        }
    }

    fn set(&mut self, name: &str, value: String) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value));
    }

    async fn start_one(&mut self, disk_kb: Option<u64>) {
        let mut args = vec!["up".to_owned()];
        args.extend(self.connectors_flag());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let home = self.folder().join("home").to_string_lossy().into_owned();
        let size = format!("size={}k", disk_kb.unwrap_or(0));
        let mounted = [
            "unshare",
            "--map-root-user",
            "--user",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"",
            "sh",
            &size,
            &home,
        ];
        let before: &[&str] = if disk_kb.is_some() {
            std::fs::create_dir_all(&home).unwrap();
            &mounted
        } else {
            &[]
        };
        let mut up = Process::start_by(before, "aam", &args, &self.variables, self.folder());
        if disk_kb.is_some() {
            self.root = PathBuf::from(format!("/proc/{}/root", up.id()));
        }
        up.wait_for(|text| text.contains("Stop with Ctrl-C").then_some(()))
            .await;
        let printed = up.printed();
        let url = |name: &str| {
            printed
                .lines()
                .find_map(|line| line.trim().strip_prefix(name)?.split_whitespace().next())
                .unwrap_or_else(|| panic!("no address of {name} in {printed}"))
                .to_owned()
        };
        self.api = Api::new(&url("orchestrator"), Some(KEY));
        self.broker_api = Api::new(&url("auth broker"), Some(KEY));
        self.agent_api = Api::new(&url("drift-repair agent"), Some(KEY));
        self.airbyte_root = url("Airbyte").trim_end_matches("/api/public/v1").to_owned();
        self.up = Some(up);
    }

    /// Puts wires before PostgreSQL and Redis.
    async fn wire_stores(&mut self) {
        for (name, scheme_end) in [("DATABASE_URL", "@"), ("REDIS_URL", "://")] {
            let known = self.variables.iter().find(|(known, _)| known == name);
            let Some((_, url)) = known.cloned() else {
                continue;
            };
            let (before, rest) = url.split_once(scheme_end).unwrap();
            let host = rest.split('/').next().unwrap();
            let wire = Wire::to(host).await;
            let through = rest.replacen(host, &wire.address().to_string(), 1);
            self.set(name, format!("{before}{scheme_end}{through}"));
            match name {
                "DATABASE_URL" => self.wires.database = Some(wire),
                _ => self.wires.redis = Some(wire),
            }
        }
    }

    async fn start_four(&mut self, proxied: bool, wired: bool) {
        self.start_airbyte().await;
        if wired {
            let host = self.airbyte_root.trim_start_matches("http://").to_owned();
            let wire = Wire::to(&host).await;
            let (id, secret) = self.airbyte_client();
            let url = format!("http://{}/api/public/v1", wire.address());
            self.set("AIRBYTE_API_URL", url);
            self.set("AIRBYTE_CLIENT_ID", id);
            self.set("AIRBYTE_CLIENT_SECRET", secret);
            self.wires.airbyte = Some(wire);
        }
        if proxied {
            let proxy = Proxy::start(&self.airbyte_root).await;
            let (id, secret) = self.airbyte_client();
            self.set("AIRBYTE_API_URL", format!("{}/api/public/v1", proxy.base));
            self.set("AIRBYTE_CLIENT_ID", id);
            self.set("AIRBYTE_CLIENT_SECRET", secret);
            self.proxy = Some(proxy);
        }
        let mut broker = Process::start("auth_broker", &[], &self.variables, self.folder());
        let address = format!("http://{}", broker.address().await);
        self.broker_api = Api::new(&address, Some(KEY));
        self.set("AUTH_BROKER_URL", address.clone());
        if wired {
            let wire = Wire::to(address.trim_start_matches("http://")).await;
            self.set("AUTH_BROKER_URL", format!("http://{}", wire.address()));
            self.wires.broker = Some(wire);
        }
        self.broker = Some(broker);
        self.start_agent().await;
        self.start_orchestrator().await;
    }

    /// Starts the embedded Airbyte; again on its old port when it ran before.
    pub async fn start_airbyte(&mut self) {
        let mut args = self.connectors_flag();
        args.push("serve".to_owned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut airbyte = Process::start("embedded_airbyte", &args, &self.variables, self.folder());
        let address = airbyte.address().await;
        let port = address.rsplit(':').next().unwrap().to_owned();
        self.set("SERVICE_PORT_EMBEDDED_AIRBYTE", port);
        self.airbyte_root = format!("http://{address}");
        self.airbyte = Some(airbyte);
    }

    /// Starts the drift-repair agent; again on its old port when it ran before.
    pub async fn start_agent(&mut self) {
        let mut agent = Process::start("drift_repair_agent", &[], &self.variables, self.folder());
        let address = agent.address().await;
        let port = address.rsplit(':').next().unwrap().to_owned();
        self.set("SERVICE_PORT_DRIFT_REPAIR", port);
        self.agent_api = Api::new(&format!("http://{address}"), Some(KEY));
        self.set("DRIFT_REPAIR_URL", format!("http://{address}"));
        self.agent = Some(agent);
    }

    /// Starts the orchestrator; again on its old port when it ran before.
    pub async fn start_orchestrator(&mut self) {
        let mut process = Process::start("orchestrator", &[], &self.variables, self.folder());
        let address = process.address().await;
        let port = address.rsplit(':').next().unwrap().to_owned();
        self.set("SERVICE_PORT_ORCHESTRATOR", port);
        self.set("ORCHESTRATOR_URL", format!("http://{address}"));
        self.api = Api::new(&format!("http://{address}"), Some(KEY));
        self.orchestrator = Some(process);
    }

    /// A second process of a service, on a separate port, with further variables beside the
    /// stack's.
    pub async fn start_replica(
        &self,
        service: &str,
        port_variable: &str,
        variables: &[(&str, &str)],
    ) -> (Process, Api) {
        let mut own = self.variables.clone();
        // Of two with one name the last counts.
        for (name, value) in std::iter::once(&(port_variable, "0")).chain(variables) {
            own.push(((*name).to_owned(), (*value).to_owned()));
        }
        let mut process = Process::start(service, &[], &own, self.folder());
        let address = process.address().await;
        (process, Api::new(&format!("http://{address}"), Some(KEY)))
    }

    /// Kills the orchestrator and starts it again, with a failpoint armed or with none.
    pub async fn restart_orchestrator(&mut self, failpoint: Option<&str>) {
        if let Some(process) = &mut self.orchestrator {
            process.kill();
        }
        self.arm(failpoint);
        self.start_orchestrator().await;
        self.arm(None);
    }

    /// Kills the drift-repair agent and starts it again, with a failpoint armed or with none.
    pub async fn restart_agent(&mut self, failpoint: Option<&str>) {
        if let Some(process) = &mut self.agent {
            process.kill();
        }
        self.arm(failpoint);
        self.start_agent().await;
        self.arm(None);
    }

    fn arm(&mut self, failpoint: Option<&str>) {
        self.variables.retain(|(name, _)| name != "AAM_FAILPOINT");
        if let Some(failpoint) = failpoint {
            self.set("AAM_FAILPOINT", failpoint.to_owned());
        }
    }

    /// Waits for a job's end and returns the orchestrator's view of it.
    pub async fn job_ended(&self, job_id: &str) -> Value {
        crate::eventually_within(std::time::Duration::from_secs(120), async || {
            let job = self.api.get(&format!("/jobs/{job_id}")).await.expect(200);
            match job["status"].as_str().unwrap() {
                "succeeded" | "failed" | "cancelled" => Ok(job),
                _ => Err(job),
            }
        })
        .await
    }

    /// Syncs a connection to its end; panics when it does not succeed.
    pub async fn sync(&self, connection: &str) -> Value {
        let path = format!("/connections/{connection}/sync");
        let started = self.api.post_empty(&path).await.expect(200);
        let job = self.job_ended(started["job_id"].as_str().unwrap()).await;
        assert_eq!(job["status"], "succeeded", "{job}");
        job
    }

    /// Onboards a SQLite file of the data folder; returns the connection's id.
    pub async fn onboard_sqlite(&self, name: &str, file: &str) -> String {
        let made = self
            .api
            .post(
                "/connections/onboard",
                &serde_json::json!({
                    "source_type": "sqlite",
                    "connection_name": name,
                    "source_config": {"path": self.data().join(file)},
                    "prefix": format!("{name}_"),
                }),
            )
            .await
            .expect(201);
        made["id"].as_str().unwrap().to_owned()
    }
}
