//! The release build's programs as child processes, and their memory according to Linux.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Variables of every process: free ports, and logs that a program can read.
const VARIABLES: &[(&str, &str)] = &[
    ("SERVICE_PORT_ORCHESTRATOR", "0"),
    ("SERVICE_PORT_AUTH_BROKER", "0"),
    ("SERVICE_PORT_DRIFT_REPAIR", "0"),
    ("SERVICE_PORT_EMBEDDED_AIRBYTE", "0"),
    ("LOG_FORMAT", "json"),
];

/// The folder of the release build's programs: this one is in `deps` there.
pub(crate) fn binaries() -> anyhow::Result<PathBuf> {
    let me = std::env::current_exe()?;
    let folder = me.ancestors().nth(2).context("no folder above")?;
    Ok(folder.to_owned())
}

/// A child that is killed when dropped.
pub(crate) struct Running {
    child: Child,
    /// From its start until it reported that it was ready.
    pub(crate) ready_after: Duration,
    /// The line that reported it.
    pub(crate) ready_line: String,
    /// Its output is read continuously, so that it never blocks.
    _drain: std::thread::JoinHandle<()>,
}

impl Running {
    /// Starts a program in `folder` and waits for a line that has `ready` in it, on stdout or, for
    /// services, on stderr.
    pub(crate) fn start(
        name: &str,
        args: &[&str],
        variables: &[(&str, &str)],
        folder: &Path,
        ready: &str,
    ) -> anyhow::Result<Self> {
        let program = binaries()?.join(name);
        let begun = Instant::now();
        let mut child = Command::new(&program)
            .args(args)
            .env_clear()
            // For connectors that need a Python.
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(VARIABLES.iter().chain(variables).copied())
            .env("AAM_HOME", folder.join("home"))
            .env("AAM_DATA_ROOTS", folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let (sender, lines) = std::sync::mpsc::channel();
        let other = sender.clone();
        let first = std::thread::spawn(move || read(stdout, &sender));
        let second = std::thread::spawn(move || read(stderr, &other));
        let mut ready_line = String::new();
        loop {
            let line = lines
                .recv_timeout(Duration::from_secs(30))
                .with_context(|| format!("{name} is not ready: {ready_line}"))?;
            ready_line.push_str(&line);
            ready_line.push('\n');
            if line.contains(ready) {
                break;
            }
        }
        let ready_after = begun.elapsed();
        let drain = std::thread::spawn(move || {
            while lines.recv().is_ok() {}
            let _ = (first.join(), second.join());
        });
        Ok(Self {
            child,
            ready_after,
            ready_line,
            _drain: drain,
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory after it had nothing to do for a while.
    pub(crate) fn idle(&self) -> anyhow::Result<u64> {
        std::thread::sleep(Duration::from_secs(2));
        memory(self.id(), "VmRSS").context("it ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stream: impl std::io::Read, sender: &std::sync::mpsc::Sender<String>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if sender.send(line).is_err() {
            return;
        }
    }
}

/// A figure of a process's memory in bytes: `VmRSS`, what is resident now, or `VmHWM`, its peak.
pub(crate) fn memory(process: u32, figure: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(figure))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The CPU time that a process has used, its threads together.
pub(crate) fn cpu(process: u32) -> anyhow::Result<Duration> {
    /// Linux counts in hundredths of a second for every program (`USER_HZ`).
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold blanks.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    let (user, system) = (
        ticks().context("no user time")?,
        ticks().context("no system time")?,
    );
    Ok(TICK * (user + system))
}

/// The children of a process whose command line has all of these words.
pub(crate) fn children(parent: u32, words: &[&str]) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{process}/status"));
            let is_child = status.unwrap_or_default().lines().any(|line| {
                line.strip_prefix("PPid:")
                    .is_some_and(|id| id.trim().parse() == Ok(parent))
            });
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let arguments: Vec<&str> = line.split('\0').collect();
            is_child && words.iter().all(|word| arguments.contains(word))
        })
        .collect()
}
