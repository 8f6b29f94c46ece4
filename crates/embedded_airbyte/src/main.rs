//! The embedded Airbyte on its own, and the connectors it starts as child processes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use embedded_airbyte::{Application, LocalConnector, Options, exec};
use settings::Settings;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// An Airbyte in one process: its API, and connectors run by the Airbyte protocol.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A JSON array of executables to offer as connectors.
    #[arg(long, global = true, value_name = "FILE")]
    local_connectors: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Answers Airbyte's API (the default).
    Serve,
    /// Runs a native connector, for instance `connector source-sqlite spec`.
    #[command(disable_help_flag = true)]
    Connector {
        /// The connector's name.
        name: String,
        /// The protocol's command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    // Before anything else, and without a parser: this process is about to become a connector.
    if args.next().as_deref() == Some(exec::SUBCOMMAND.as_ref()) {
        return exec::run(args);
    }
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Connector { name, args }) => connectors::run(&name, args),
        None | Some(Command::Serve) => match serve(arguments.local_connectors) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("embedded_airbyte: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

#[tokio::main]
async fn serve(local_connectors: Option<PathBuf>) -> anyhow::Result<()> {
    local::install_tls_provider();
    local::open_files::raise()?;
    let settings = Settings::load_for_airbyte()?;
    telemetry::init(&settings.log)?;
    let application = Application::build(options(&settings, local_connectors)?).await?;
    let address = application.address();
    tracing::info!(service = "embedded_airbyte", %address, "listening");
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopping.cancel();
    });
    application.run_until(stop).await?;
    Ok(())
}

fn options(settings: &Settings, local_connectors: Option<PathBuf>) -> anyhow::Result<Options> {
    let program = std::env::current_exe().context("finding this program's own file")?;
    let mut options = Options::from_settings(settings, program)?;
    if let Some(path) = local_connectors {
        let text = std::fs::read(&path)
            .with_context(|| format!("reading --local-connectors {}", path.display()))?;
        options.local_connectors = serde_json::from_slice::<Vec<LocalConnector>>(&text)
            .with_context(|| format!("{} is not an array of local connectors", path.display()))?;
    }
    Ok(options)
}
