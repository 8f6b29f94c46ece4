//! `aam sync`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use contracts::{JobView, SyncStatus, SyncTriggered};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use settings::Settings;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format};

const POLL: Duration = Duration::from_millis(300);

/// Starts a sync, or attaches to the running one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A connection's id or name.
    connection: String,
    /// Waits for the sync to end; Ctrl-C detaches and leaves it running.
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let connection = client.connection(&arguments.connection).await?;
    // Installed before the job starts, so that an interruption always reports what became of the
    // job.
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let path = format!("/connections/{}/sync", connection.id);
    let body = json!({});
    let started: SyncTriggered = tokio::select! {
        started = client.post(&path, &body) => started?,
        _ = interrupted.recv() => {
            eprintln!("Interrupted before the response; a job may have been started anyway.");
            return Ok(ExitCode::from(130));
        }
    };
    if !arguments.wait {
        match format {
            Format::Json => output::json(&started)?,
            Format::Table => {
                let job = &started.job_id;
                match started.status {
                    SyncStatus::Triggered => outln!("Started sync job {job}."),
                    SyncStatus::Attached => outln!("Job {job} is already running."),
                }
                let name = &connection.name;
                outln!("`aam connections {name:?}` shows how far it is.");
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let followed = tokio::select! {
        job = follow(&client, &started.job_id, format) => Some(job?),
        _ = interrupted.recv() => None,
    };
    let Some(job) = followed else {
        eprintln!("Detached; job {} continues.", started.job_id);
        return Ok(ExitCode::SUCCESS);
    };
    match format {
        Format::Json => output::json(&job)?,
        Format::Table => outln!("{}", summary(&job)),
    }
    Ok(if job.status == "succeeded" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A job on one line.
pub(crate) fn summary(job: &JobView) -> String {
    let rows = job.rows_synced.unwrap_or(0);
    let mut text = format!(
        "{} job {} {}: {rows} rows",
        job.job_type, job.job_id, job.status
    );
    if let Some(bytes) = job.bytes_synced.filter(|bytes| *bytes > 0) {
        text.push_str(&format!(", {}", output::size(bytes)));
    }
    if let Some(error) = &job.error_message {
        text.push_str(&format!("; {error}"));
    }
    text
}

/// Waits for a job to end and shows its progress.
pub(crate) async fn follow(
    client: &Client,
    job_id: &str,
    format: Format,
) -> anyhow::Result<JobView> {
    let bar = match format {
        Format::Json => ProgressBar::hidden(),
        Format::Table => ProgressBar::new_spinner(),
    };
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}")?);
    loop {
        let job: JobView = client.get(&format!("/jobs/{job_id}")).await?;
        if matches!(job.status.as_str(), "succeeded" | "failed" | "cancelled") {
            bar.finish_and_clear();
            return Ok(job);
        }
        bar.set_message(summary(&job));
        bar.tick();
        tokio::time::sleep(POLL).await;
    }
}
