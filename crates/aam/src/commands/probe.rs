//! `aam probe`: whether something answers, as an exit code. It spares the image a client of its own.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn run(url: reqwest::Url) -> anyhow::Result<ExitCode> {
    let client = shared::http::client::build()?;
    let answer = client
        .get(url.clone())
        .timeout(PATIENCE)
        .send()
        .await
        .with_context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "{url} answered {status}");
    Ok(ExitCode::SUCCESS)
}
