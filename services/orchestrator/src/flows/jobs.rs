//! Cancels jobs, and reads their logs.

use std::time::Duration;

use context::error_chain;
use contracts::ErrorCode;
use serde_json::json;
use shared::airbyte::ErrorKind;
use shared::airbyte::types::AttemptLog;
use shared::registry::audit;
use shared::registry::entities::job;

use super::{Error, sync};
use crate::state::State;

/// How long to wait for a job to stop while its caller waits.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(300);
/// Interval between reads of a followed log.
const FOLLOW: Duration = Duration::from_secs(1);
/// Maximum number of consecutive failed reads of a followed log.
const FAILURES: u32 = 10;

/// Returns the job with Airbyte's id.
pub(crate) async fn get(state: &State, id: &str) -> Result<job::Model, Error> {
    state.registry.job_get(id).await?.ok_or_else(|| {
        let detail = format!("no connection of AAM has a job `{id}`");
        Error::refused(ErrorCode::JobNotFound, detail)
    })
}

/// Cancels a job and returns its new state: ended, or still stopping after a minute.
///
/// Airbyte cancels whatever the connection is running, even if it is a newer job than the named
/// one.
pub(crate) async fn cancel(state: State, id: String) -> Result<job::Model, Error> {
    let row = get(&state, &id).await?;
    if row.status.is_final() {
        return Ok(row);
    }
    let connection = state.own_connection(row.connection_id).await?;
    let Some(airbyte_id) = connection.airbyte_connection_id else {
        return Ok(row);
    };
    let newest = state.airbyte.job_list_newest(airbyte_id, 10).await?;
    match newest.iter().find(|job| !sync::is_final(job)) {
        Some(running) if running.job_id == id => {
            let change = audit::Change {
                action: "job.cancel",
                target: id.clone(),
                connection_id: Some(row.connection_id),
                before: Some(json!({"status": row.status.as_str()})),
                after: None,
            };
            state.registry.audit_note(change).await?;
            match state.airbyte.job_cancel(&id).await {
                Ok(_) => {
                    tracing::info!(
                        connection.id = %row.connection_id,
                        job.id = %id,
                        "canceled job {id}"
                    )
                }
                // It ended in the meantime.
                Err(error) if matches!(error.kind, ErrorKind::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Some(other) => {
            return Err(Error::refused(
                ErrorCode::JobRunning,
                format!(
                    "job {} is running, not {id}; Airbyte would cancel that one, so nothing was \
                     canceled",
                    other.job_id
                ),
            ));
        }
        // It has ended, and this is about to be stored.
        None => {}
    }
    state.track_wake.notify_one();
    ended(&state, &id, row).await
}

async fn ended(state: &State, id: &str, mut row: job::Model) -> Result<job::Model, Error> {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !row.status.is_final() && tokio::time::Instant::now() < until {
        tokio::time::sleep(POLL).await;
        row = get(state, id).await?;
    }
    Ok(row)
}

/// The log of a job's attempts, as text.
pub(crate) async fn logs(state: &State, id: &str) -> Result<String, Error> {
    let row = get(state, id).await?;
    state.own_connection(row.connection_id).await?;
    let mut reader = LogReader::new(state.clone(), id.to_owned());
    let attempts = state.airbyte.job_logs(id).await?;
    Ok(reader.new_lines(&attempts))
}

/// Reads a growing log.
pub(crate) struct LogReader {
    state: State,
    id: String,
    /// Number of lines of each attempt that were returned.
    returned: Vec<usize>,
    is_done: bool,
    is_first: bool,
}

impl LogReader {
    pub(crate) fn new(state: State, id: String) -> Self {
        Self {
            state,
            id,
            returned: Vec::new(),
            is_done: false,
            is_first: true,
        }
    }

    /// Returns the lines since the last call; `None` when the job has ended and all lines were
    /// returned.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let mut failures = 0;
        while !self.is_done {
            if !self.is_first {
                let stopping = self.state.runtime.stopping();
                tokio::select! {
                    () = stopping.cancelled() => return None,
                    () = tokio::time::sleep(FOLLOW) => {}
                }
            }
            self.is_first = false;
            match self.read().await {
                Ok(lines) if lines.is_empty() => failures = 0,
                Ok(lines) => return Some(lines),
                Err(_) if failures < FAILURES => failures += 1,
                Err(error) => {
                    self.is_done = true;
                    let message = error_chain(&error);
                    return Some(format!("== cannot read the log any longer: {message} ==\n"));
                }
            }
        }
        None
    }

    async fn read(&mut self) -> Result<String, Error> {
        // Checked first: if the job has ended, the log read afterwards is complete.
        let has_ended = get(&self.state, &self.id).await?.status.is_final();
        let attempts = self.state.airbyte.job_logs(&self.id).await?;
        self.is_done = has_ended;
        Ok(self.new_lines(&attempts))
    }

    fn new_lines(&mut self, attempts: &[AttemptLog]) -> String {
        let mut text = String::new();
        for (place, attempt) in attempts.iter().enumerate() {
            if place == self.returned.len() {
                self.returned.push(0);
                text.push_str(&format!("== attempt {} ==\n", attempt.number + 1));
            }
            let returned = self.returned[place].min(attempt.lines.len());
            for line in &attempt.lines[returned..] {
                text.push_str(line.trim_end());
                text.push('\n');
            }
            self.returned[place] = attempt.lines.len();
        }
        text
    }
}
