//! The real binaries as child processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::wait::eventually_within;

/// The top of the checkout.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// A binary of the workspace, built beside the test that asks.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(
        path.exists(),
        "{} is not built: cargo build --workspace --bins, or run scripts/test.sh",
        path.display()
    );
    path
}

/// A child process that is killed with the test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    out: PathBuf,
}

impl Process {
    /// Starts a binary with these variables and nothing else of the test's environment but PATH.
    pub fn start(name: &str, args: &[&str], variables: &[(String, String)], folder: &Path) -> Self {
        Self::start_by(&[], name, args, variables, folder)
    }

    /// The same through a command that runs what follows it.
    pub fn start_by(
        before: &[&str],
        name: &str,
        args: &[&str],
        variables: &[(String, String)],
        folder: &Path,
    ) -> Self {
        let program = binary(name);
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let log = folder.join(format!("{name}-{unique}.log"));
        let out = folder.join(format!("{name}-{unique}.out"));
        let whole: Vec<&std::ffi::OsStr> = before
            .iter()
            .map(AsRef::as_ref)
            .chain([program.as_os_str()])
            .collect();
        let child = Command::new(whole[0])
            .args(&whole[1..])
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("starting {}: {error}", program.display()));
        Self { child, log, out }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// Waits for something in its log or output; panics with both when it ends first.
    pub async fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        eventually_within(Duration::from_secs(60), async || {
            let text = format!("{}{}", self.printed(), self.log());
            match find(&text) {
                Some(found) => Ok(found),
                None => {
                    if let Some(status) = self.child.try_wait().unwrap() {
                        panic!("it ended with {status}: {text}");
                    }
                    Err(text)
                }
            }
        })
        .await
    }

    /// The address that a service reports to listen on.
    pub async fn address(&mut self) -> String {
        self.wait_for(|text| {
            text.lines().find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                (line["message"] == "listening")
                    .then(|| line["address"].as_str().map(str::to_owned))?
            })
        })
        .await
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends; panics with its log if it continues.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        eventually_within(Duration::from_secs(60), async || {
            let ended = self.child.try_wait().unwrap();
            ended.ok_or_else(|| {
                let log = self.log();
                log.lines().rev().take(20).collect::<Vec<_>>().join("\n")
            })
        })
        .await
    }

    /// SIGTERM; returns whether it ended well within 30 s.
    pub async fn stop(&mut self) -> bool {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        eventually_within(Duration::from_secs(30), async || {
            self.child.try_wait().unwrap().ok_or("still running")
        })
        .await
        .success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
