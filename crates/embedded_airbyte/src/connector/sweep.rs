//! After a crash: finds connectors that a dead engine left running, by what it recorded in each
//! run's directory and by the mark in their environment, kills them and removes the directories.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::process::RUN_VARIABLE;

const FILE: &str = "groups";

/// Records a process group that was just started.
pub(super) fn record(run: &Path, pid: i32) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(run.join(FILE))?;
    writeln!(file, "{pid} {}", start_time(pid).unwrap_or_default())
}

/// Kills what runs for any directory below `runs`, then removes the directories.
pub(super) fn sweep(runs: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(runs)? {
        let run = entry?.path();
        let groups = std::fs::read_to_string(run.join(FILE)).unwrap_or_default();
        for line in groups.lines() {
            let Some((pid, started)) = line.split_once(' ') else {
                continue;
            };
            let Ok(pid) = pid.parse::<i32>() else {
                continue;
            };
            // Another process may have reused the id; its start time shows that.
            if !started.is_empty() && start_time(pid).as_deref() == Some(started) {
                tracing::warn!(pid, "killing a connector that a dead engine left running");
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        if let Some(name) = run.file_name() {
            kill_marked(name.as_bytes());
        }
        std::fs::remove_dir_all(&run)?;
    }
    Ok(())
}

/// When a process started, in the kernel's ticks since boot, with the boot's id.
pub(super) fn start_time(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses; fields are counted after the last one.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().nth(19)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}-{ticks}", boot.trim()))
}

/// Passes that [`kill_marked`] makes at most; more would only help a program that forks without end.
const PASSES: usize = 100;

/// How long a process gets to be what it is becoming before it is looked at again.
const BETWEEN_PASSES: Duration = Duration::from_millis(2);

/// Kills processes that carry a run's mark, also those that left its process group, until none is
/// found.
pub(super) fn kill_marked(run: &[u8]) {
    for _ in 0..PASSES {
        if !kill_marked_once(run) {
            return;
        }
        std::thread::sleep(BETWEEN_PASSES);
    }
    tracing::warn!(run = %String::from_utf8_lossy(run), "a connector's processes could not all be ended");
}

/// As [`kill_marked`], for callers that must not block their thread. May be dropped.
pub(super) async fn end_marked(run: &[u8]) {
    for _ in 0..PASSES {
        if !kill_marked_once(run) {
            return;
        }
        tokio::time::sleep(BETWEEN_PASSES).await;
    }
}

/// Whether another scan is required: a process was killed and may have forked before, or a process
/// is being replaced by another program and cannot be identified yet.
fn kill_marked_once(run: &[u8]) -> bool {
    let mark = [RUN_VARIABLE.as_bytes(), b"=", run].concat();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let mut again = false;
    for process in processes.flatten() {
        let pid = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = pid else {
            continue;
        };
        let path = process.path();
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark)
        {
            again |= kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
        } else if environment.is_empty() {
            again |= is_being_replaced(&path);
        }
    }
    again
}

/// Whether a process is inside `exec`: it has a program, but the kernel has not laid out its arguments
/// and environment yet. Kernel threads and zombies have no program.
fn is_being_replaced(process: &Path) -> bool {
    std::fs::read(process.join("cmdline")).is_ok_and(|arguments| arguments.is_empty())
        && std::fs::read_link(process.join("exe")).is_ok()
}
