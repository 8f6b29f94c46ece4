//! `aam up`: the whole stack in this process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use redaction::shown_url::shown_text;
use service_kit::server::stop_signal;
use settings::Settings;
use stack::{Options, Stack};

use crate::client::place;
use crate::output::notice;

/// `info` without what the greeting shows, the line for each answered request, and libraries'
/// messages.
const QUIET: &str =
    "info,access=warn,service_kit::server=warn,actix_server=warn,sea_orm_migration=warn";

/// Starts the whole stack in this process, on loopback, until Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A JSON array of executables on this machine, offered as connectors in addition to the native
    /// ones.
    #[arg(long, value_name = "FILE")]
    local_connectors: Option<PathBuf>,
}

pub(crate) async fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    local::open_files::raise()?;
    // Installed first, so that a signal that arrives during startup is not lost.
    let stop_requested = tokio::spawn(stop_signal());
    let mut log = settings.log.clone();
    // One terminal shows everything, so log what is done but not each answered request.
    if log.filter == "info" {
        log.filter = QUIET.to_owned();
    }
    telemetry::init(&log)?;
    let mut options = Options::default();
    if let Some(path) = &arguments.local_connectors {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        options.local_connectors = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not an array of local connectors", path.display()))?;
    }
    let sample = settings.home.sample_db();
    let embedded = settings.airbyte.embedded;
    let made = tokio::spawn(async move {
        if embedded {
            stack::sample::ensure(&sample).await
        } else {
            Ok(())
        }
    });
    let stack = Stack::start(settings, options).await?;
    let addresses = stack.addresses();
    notice!(
        "AAM is up after {:.2} s; data in {}",
        begun.elapsed().as_secs_f64(),
        stack.settings().home.path().display()
    );
    notice!("  orchestrator        {}", place(&addresses.orchestrator));
    notice!("  auth broker         {}", place(&addresses.auth_broker));
    notice!("  drift-repair agent  {}", place(&addresses.drift_repair));
    notice!(
        "  Airbyte             {}{}",
        shown_text(&addresses.airbyte),
        if embedded { " (embedded)" } else { "" }
    );
    made.await.context("creating the sample database")??;
    if embedded {
        notice!(
            "  sample database     {}",
            stack.settings().home.sample_db().display()
        );
    }
    notice!("Stop with Ctrl-C.");
    let stopping = stack.stopping();
    tokio::spawn(async move {
        if !matches!(stop_requested.await, Ok(Ok(()))) {
            return;
        }
        notice!("Stopping; press Ctrl-C again to stop immediately.");
        stopping.cancel();
        if stop_signal().await.is_ok() {
            std::process::exit(130);
        }
    });
    stack.run().await?;
    Ok(ExitCode::SUCCESS)
}
