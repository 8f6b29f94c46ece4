//! `aam up`: the whole stack in this process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use shared::http::server::stop_signal;
use shared::settings::Settings;
use shared::shown_url::shown_text;
use stack::{Options, Stack};

use crate::client::place;

/// `info` without what the greeting shows, the line for each answered request, and libraries'
/// messages.
const QUIET: &str =
    "info,access=warn,shared::http::server=warn,actix_server=warn,sea_orm_migration=warn";

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
    shared::open_files::raise()?;
    // Installed first, so that a signal that arrives during startup is not lost.
    let stop_requested = tokio::spawn(stop_signal());
    let mut log = settings.log.clone();
    // One terminal shows everything, so log what is done but not each answered request.
    if log.filter == "info" {
        log.filter = QUIET.to_owned();
    }
    shared::telemetry::init(&log)?;
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
    println!(
        "AAM is up after {:.2} s; data in {}",
        begun.elapsed().as_secs_f64(),
        stack.settings().home.path().display()
    );
    println!("  orchestrator        {}", place(&addresses.orchestrator));
    println!("  auth broker         {}", place(&addresses.auth_broker));
    println!("  drift-repair agent  {}", place(&addresses.drift_repair));
    println!(
        "  Airbyte             {}{}",
        shown_text(&addresses.airbyte),
        if embedded { " (embedded)" } else { "" }
    );
    made.await.context("creating the sample database")??;
    if embedded {
        println!(
            "  sample database     {}",
            stack.settings().home.sample_db().display()
        );
    }
    println!("Stop with Ctrl-C.");
    let stopping = stack.stopping();
    tokio::spawn(async move {
        if !matches!(stop_requested.await, Ok(Ok(()))) {
            return;
        }
        println!("Stopping; press Ctrl-C again to stop immediately.");
        stopping.cancel();
        if stop_signal().await.is_ok() {
            std::process::exit(130);
        }
    });
    stack.run().await?;
    Ok(ExitCode::SUCCESS)
}
