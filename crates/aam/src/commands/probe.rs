//! `aam probe`: whether something answers, as an exit code. It spares the image a client of its own.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use shared::shown_url::shown;

const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn run(url: reqwest::Url) -> anyhow::Result<ExitCode> {
    // Past any proxy: it is this machine that is asked.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let answer = client
        .get(url.clone())
        .send()
        .await
        .with_context(|| format!("no answer from {}", shown(&url)))?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "{} answered {status}", shown(&url));
    Ok(ExitCode::SUCCESS)
}
