//! What survives a stop, a crash and a second engine.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use embedded_airbyte::{Application, Error};
use local::seal::SealingKey;
use serde_json::json;

use crate::harness::{Api, CLIENT_ID, CLIENT_SECRET, Engine, Place, alive, eventually, left};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_on_the_same_data_is_refused_and_so_is_another_key() {
    let engine = Engine::start().await;
    let refused = Application::build(engine.place.options())
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("airbyte.db"));
    let place = engine.stop().await;
    let mut options = place.options();
    options.seal_key = SealingKey::derive(&[9; 32], "another");
    let refused = Application::build(options).await.unwrap_err();
    assert!(matches!(refused, Error::SealKey), "{refused}");
    Engine::start_at(place, |_| {}).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_reported_with_its_variable_at_startup() {
    let engine = Engine::start().await;
    let port = engine.api.root.rsplit_once(':').unwrap().1.parse().unwrap();
    let other = Place::new();
    let mut options = other.options();
    options.bind.1 = port;
    let refused = Application::build(options).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("SERVICE_PORT_EMBEDDED_AIRBYTE"),
        "{refused}"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_interrupted_by_a_stop_resumes_after_the_restart() {
    let engine = Engine::start().await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("records", "6");
    engine.place.set("gate", "");
    let job = engine.api.start_sync(&connection).await;
    engine.api.state_at(&connection, 3).await;
    let place = engine.stop().await;
    place.set("open", "");
    let engine = Engine::start_at(place, |_| {}).await;
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    let attempts = info["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["attempt"]["status"], "failed");
    let ids = engine.place.written_ids();
    assert_eq!(ids.len(), 6, "{ids:?}");
    engine.stop().await;
}

/// The engine as a separate process.
pub(crate) struct Process {
    child: Child,
    pub(crate) api: Api,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// As a signal that cannot be caught does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager does; waits for its end.
    pub(crate) fn terminate(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn start(place: &Arc<Place>) -> Self {
        let own = env!("CARGO_BIN_EXE_embedded_airbyte").into();
        // Another build of it, to see what that one does.
        let program = std::env::var_os("AAM_TEST_ENGINE").unwrap_or(own);
        Self::start_by(place, Command::new(program)).await
    }

    /// With a data directory on a separate disk of this many kilobytes, which only it sees.
    pub(crate) async fn start_on_disk(place: &Arc<Place>, kilobytes: u64) -> Self {
        std::fs::create_dir_all(place.home()).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--user", "--mount", "sh", "-c"])
            .arg("mount -t tmpfs -o \"size=$1k\" tmpfs \"$2\" && shift 2 && exec \"$@\"")
            .arg("sh")
            .arg(kilobytes.to_string())
            .arg(place.home())
            .arg(env!("CARGO_BIN_EXE_embedded_airbyte"));
        Self::start_by(place, command).await
    }

    /// A path as the engine sees it.
    pub(crate) fn inside(&self, path: &std::path::Path) -> std::path::PathBuf {
        let root = format!("/proc/{}/root", self.child.id());
        std::path::Path::new(&root).join(path.strip_prefix("/").unwrap())
    }

    async fn start_by(place: &Arc<Place>, mut command: Command) -> Self {
        let connectors = place.path("connectors.json");
        std::fs::write(
            &connectors,
            serde_json::to_vec(&place.connectors()).unwrap(),
        )
        .unwrap();
        // Where a test may have put its own programs.
        let path = [place.path("bin").into(), std::env::var_os("PATH").unwrap()].join(":".as_ref());
        let mut child = command
            .arg("--local-connectors")
            .arg(connectors)
            .current_dir(place.path(""))
            .env_clear()
            .env("PATH", path)
            .env("AAM_HOME", place.home())
            .env("AIRBYTE_CLIENT_ID", CLIENT_ID)
            .env("AIRBYTE_CLIENT_SECRET", CLIENT_SECRET)
            .env("SERVICE_PORT_EMBEDDED_AIRBYTE", "0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = String::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            seen.push_str(&line);
            seen.push('\n');
            let line: serde_json::Value = serde_json::from_str(&line).ok()?;
            let address = line["address"].as_str()?;
            (line["message"] == "listening").then(|| format!("http://{address}"))
        });
        // An engine whose log is not read would block.
        let log = place.path("engine.log");
        std::thread::spawn(move || {
            let mut log = std::fs::File::create(log)?;
            lines
                .map_while(Result::ok)
                .try_for_each(|line| writeln!(log, "{line}"))
        });
        let address = address.unwrap_or_else(|| panic!("the engine did not start: {seen}"));
        let api = Api::connect(address).await;
        Self { child, api }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_nothing_is_orphaned_doubled_or_lost() {
    let place = Arc::new(Place::new());
    let mut engine = Process::start(&place).await;
    let connection = engine.api.accounts("recorder").await;
    place.set("records", "6");
    for misbehaviour in ["gate", "leave_child", "ignore_sigterm"] {
        place.set(misbehaviour, "");
    }
    let job = engine.api.start_sync(&connection).await;
    left(&place, "waiting").await;
    let child = left(&place, "child").await;
    let state = json!({"connectionId": connection});
    eventually("the destination has the first state", async || {
        let echoed = place.written().iter().any(|line| line["type"] == "STATE");
        if echoed {
            Ok(())
        } else {
            Err("no state yet".to_owned())
        }
    })
    .await;
    engine.kill();
    assert!(
        alive(&child),
        "the source's own child outlives the engine until the sweep"
    );
    place.set("open", "");
    place.unset("leave_child");

    let engine = Process::start(&place).await;
    assert!(
        !alive(&child),
        "the sweep ends what the dead engine's connectors started"
    );
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    assert_eq!(info["attempts"][0]["attempt"]["status"], "failed");
    assert_eq!(info["attempts"][1]["attempt"]["status"], "succeeded");
    let mut ids = place.written_ids();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "every record arrived");
    let state = engine.api.config_ok("/state/get", state).await;
    assert_eq!(state["streamState"][0]["streamState"]["index"], 6);
    let runs = place.home().join("runs");
    assert_eq!(std::fs::read_dir(runs).unwrap().count(), 0);
}
