//! After a crash: finds connectors that a dead engine left running, by what it recorded in each
//! run's directory and by the mark in their environment, kills them and removes the directories.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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
            // Another process may have the number by now; its start time tells.
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

/// Kills processes that carry a run's mark, also those that left its process group.
pub(super) fn kill_marked(run: &[u8]) {
    let mark = [RUN_VARIABLE.as_bytes(), b"=", run].concat();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        let pid = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = pid else {
            continue;
        };
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark)
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
