//! The log of an attempt: a file of bounded size in the data directory.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use chrono::{SecondsFormat, Utc};

use crate::connector::FailureReason;
use crate::connector::command::shortened;

/// Bytes of connector output stored per attempt; the platform's own lines are always stored.
const LEN_MAX: usize = 1024 * 1024;
/// Jobs whose logs are kept.
const JOBS_KEPT: i64 = 1000;

/// An open log.
pub(super) struct AttemptLog {
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    written: usize,
}

fn path(logs: &Path, job: i64, attempt: i32) -> PathBuf {
    logs.join(format!("job-{job}-attempt-{attempt}.log"))
}

/// Writes the log of an attempt that ended before a connector ran.
pub(crate) fn note(
    logs: &Path,
    job: i64,
    attempt: i32,
    failures: &[FailureReason],
) -> std::io::Result<()> {
    let log = AttemptLog::create(logs, job, attempt)?;
    for failure in failures {
        let inner = failure.internal_message.as_deref().unwrap_or_default();
        log.platform(&format!("ERROR {}: {inner}", failure.external_message));
    }
    Ok(())
}

impl AttemptLog {
    /// Starts a log and removes that of a job long past.
    pub(super) fn create(logs: &Path, job: i64, attempt: i32) -> std::io::Result<Self> {
        let mut old = 0;
        while std::fs::remove_file(path(logs, job - JOBS_KEPT, old)).is_ok() {
            old += 1;
        }
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path(logs, job, attempt))?;
        let inner = Mutex::new(Inner { file, written: 0 });
        Ok(Self { inner })
    }

    /// A line from a connector.
    pub(super) fn connector(&self, who: &str, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(|e| e.into_inner());
        if inner.written >= LEN_MAX {
            return;
        }
        inner.write(who, shortened(text));
        if inner.written >= LEN_MAX {
            inner.write(
                "platform",
                "WARN the log is full, further output is dropped",
            );
        }
    }

    /// A line from the engine.
    pub(super) fn platform(&self, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(|e| e.into_inner());
        inner.write("platform", shortened(text));
    }
}

impl Inner {
    fn write(&mut self, who: &str, text: &str) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let line = format!("{now} {who} > {}\n", text.trim_end());
        // A full disk must not end a sync that could go on.
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.written += line.len();
        }
    }
}

/// The lines of an attempt's log; none when it is gone.
pub(crate) fn lines(logs: &Path, job: i64, attempt: i32) -> Vec<String> {
    let text = std::fs::read(path(logs, job, attempt)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::to_owned).collect()
}
