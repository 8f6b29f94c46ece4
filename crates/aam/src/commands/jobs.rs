//! `aam logs` and `aam cancel`.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use contracts::JobView;
use futures::StreamExt as _;
use serde_json::json;
use settings::Settings;

use super::sync::summary;
use crate::client::{Client, path_to};
use crate::output::outln;
use crate::output::{self, Format};

/// Shows the log of a job's attempts.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArguments {
    /// The job's id.
    job: String,
    /// Follows the log until the job ends.
    #[arg(long)]
    follow: bool,
}

/// Cancels a job.
#[derive(Debug, clap::Args)]
pub(crate) struct CancelArguments {
    /// The job's id.
    job: String,
}

pub(crate) async fn logs(settings: &Settings, arguments: LogArguments) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let path = format!(
        "{}/logs?follow={}",
        path_to("jobs", &arguments.job),
        arguments.follow
    );
    let mut bytes = client.stream(&path, "text/plain").await?.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.context("reading the log")?;
        let mut out = std::io::stdout().lock();
        if out.write_all(&chunk).and_then(|()| out.flush()).is_err() {
            // The reader has closed stdout, for example `head`.
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn cancel(
    settings: &Settings,
    format: Format,
    arguments: CancelArguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let path = format!("{}/cancel", path_to("jobs", &arguments.job));
    let job: JobView = client.post(&path, &json!({})).await?;
    match format {
        Format::Json => output::json(&job)?,
        Format::Table => outln!("{}", summary(&job)),
    }
    Ok(if job.status == "cancelled" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
