#![doc = include_str!("../README.md")]

mod client;
mod commands;
mod output;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use settings::{Settings, Source, variables};

use crate::output::Format;
use crate::output::outln;

/// Keeps Airbyte connections alive.
#[derive(Debug, Parser)]
#[command(name = "aam", version, arg_required_else_help = true)]
struct Arguments {
    /// The data directory (AAM_HOME); default: `.aam`, searched upwards.
    #[arg(long, global = true)]
    home: Option<PathBuf>,
    /// The output format.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the whole stack in this process.
    Up(commands::up::Arguments),
    /// Onboards, syncs, drifts, heals and compares, in a separate folder.
    Demo(commands::demo::Arguments),
    /// Creates a connection.
    Onboard(commands::onboard::Arguments),
    /// Lists connections, shows one, or compares two of its versions.
    Connections(commands::connections::Arguments),
    /// Starts a sync.
    Sync(commands::sync::Arguments),
    /// Shows the log of a job's attempts.
    Logs(commands::jobs::LogArguments),
    /// Cancels a job.
    Cancel(commands::jobs::CancelArguments),
    /// Shows past events or follows new ones.
    Events(commands::events::Arguments),
    /// Compares a connection with its source and repairs it.
    Heal(commands::heal::Arguments),
    /// Rolls a connection back to an earlier catalog version.
    Rollback(commands::rollback::Arguments),
    /// Changes a connection's name, drift policy or status.
    Update(commands::update::Arguments),
    /// Deletes a connection.
    Delete(commands::delete::Arguments),
    /// Shows running and finished operations, step by step.
    Operations(commands::operations::Arguments),
    /// Lists and removes leftover objects in Airbyte.
    Gc(commands::gc::Arguments),
    /// Lists, installs and tries connectors, without a connection.
    #[command(subcommand)]
    Connectors(commands::connectors::Command),
    /// Compares, plans, converts and fingerprints catalogs offline.
    #[command(subcommand)]
    Catalog(commands::catalog::Command),
    /// Checks drift policies and explains them.
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// Stores, lists and removes credentials.
    #[command(subcommand)]
    Credentials(commands::credentials::Command),
    /// Manages sync schedules.
    #[command(subcommand)]
    Schedule(commands::schedule::Command),
    /// Manages datasources: sources that ingestions share.
    #[command(subcommand)]
    Datasource(commands::ingestion::endpoint::Command),
    /// Manages sinks: destinations that ingestions share.
    #[command(subcommand)]
    Sink(commands::ingestion::endpoint::Command),
    /// Manages ingestions, each from a datasource to a sink.
    #[command(subcommand)]
    Ingestion(commands::ingestion::ingestions::Command),
    /// Creates, lists and revokes API keys.
    #[command(subcommand)]
    Keys(commands::keys::Command),
    /// Shows who changed what.
    Audit(commands::audit::Arguments),
    /// Shows every service and its dependencies.
    Status,
    /// Diagnoses this installation.
    Doctor,
    /// Migrates the registry's database to the current schema.
    #[command(subcommand)]
    Migrate(commands::migrate::Command),
    /// Creates the sample database that `aam up` creates on its first start.
    Sample {
        /// Path of the file; default: `sample.db` in the data directory.
        path: Option<PathBuf>,
    },
    /// Succeeds if a GET of the URL returns 2xx within 3 s; used for container health checks.
    #[command(hide = true)]
    Probe {
        /// For example `http://127.0.0.1:8001/health`; default: every AAM service on this machine.
        url: Option<reqwest::Url>,
    },
    /// Runs a native connector: `aam connector source-sqlite discover --config FILE`.
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
    let mut raw = std::env::args_os().skip(1);
    if raw
        .next()
        .is_some_and(|first| first == embedded_airbyte::exec::SUBCOMMAND)
    {
        return embedded_airbyte::exec::run(raw);
    }
    let arguments = Arguments::parse();
    if let Command::Connector { name, args } = arguments.command {
        return connectors::run(&name, args);
    }
    local::install_tls_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        home,
        output,
        command,
    } = arguments;
    let source = || -> anyhow::Result<Source> {
        let home = home
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned());
        Ok(Source::process()?.with(home.map(|path| (variables::AAM_HOME, path))))
    };
    let settings = || -> anyhow::Result<Settings> { Ok(Settings::from_source(&source()?)?) };
    match command {
        Command::Up(arguments) => commands::up::run(settings()?, arguments).await,
        Command::Demo(arguments) => commands::demo::run(arguments).await,
        Command::Onboard(arguments) => {
            commands::onboard::run(&settings()?, output, arguments).await
        }
        Command::Connections(arguments) => {
            commands::connections::run(&settings()?, output, arguments).await
        }
        Command::Sync(arguments) => commands::sync::run(&settings()?, output, arguments).await,
        Command::Logs(arguments) => commands::jobs::logs(&settings()?, arguments).await,
        Command::Cancel(arguments) => commands::jobs::cancel(&settings()?, output, arguments).await,
        Command::Events(arguments) => commands::events::run(&settings()?, output, arguments).await,
        Command::Heal(arguments) => commands::heal::run(&settings()?, output, arguments).await,
        Command::Rollback(arguments) => {
            commands::rollback::run(&settings()?, output, arguments).await
        }
        Command::Update(arguments) => commands::update::run(&settings()?, output, arguments).await,
        Command::Delete(arguments) => commands::delete::run(&settings()?, output, arguments).await,
        Command::Operations(arguments) => {
            commands::operations::run(&settings()?, output, arguments).await
        }
        Command::Gc(arguments) => commands::gc::run(&settings()?, output, arguments).await,
        Command::Connectors(command) => {
            commands::connectors::run(&settings()?, output, command).await
        }
        // Like `diff`: 1 means that the catalogs differ, 2 means an error.
        Command::Catalog(command) => Ok(commands::catalog::run(command, output).unwrap_or_else(
            |error| {
                output::error(&error);
                ExitCode::from(2)
            },
        )),
        Command::Policy(command) => commands::policy::run(output, command),
        Command::Credentials(command) => {
            commands::credentials::run(&settings()?, output, command).await
        }
        Command::Schedule(command) => commands::schedule::run(&settings()?, output, command).await,
        Command::Datasource(command) => {
            let noun = commands::ingestion::endpoint::Noun::Datasource;
            commands::ingestion::endpoint::run(&settings()?, output, noun, command).await
        }
        Command::Sink(command) => {
            let noun = commands::ingestion::endpoint::Noun::Sink;
            commands::ingestion::endpoint::run(&settings()?, output, noun, command).await
        }
        Command::Ingestion(command) => {
            commands::ingestion::ingestions::run(&settings()?, output, command).await
        }
        Command::Keys(command) => commands::keys::run(&settings()?, output, command).await,
        Command::Audit(arguments) => commands::audit::run(&settings()?, output, arguments).await,
        Command::Status => commands::status::run(&settings()?, output).await,
        Command::Doctor => commands::doctor::run(&source()?, output).await,
        Command::Migrate(command) => commands::migrate::run(&settings, output, command).await,
        Command::Sample { path } => {
            let path = match path {
                Some(path) => path,
                None => settings()?.home.sample_db(),
            };
            stack::sample::ensure(&path)
                .await
                .with_context(|| format!("making {}", path.display()))?;
            outln!("{}", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Probe { url } => commands::probe::run(url).await,
        Command::Connector { .. } => Ok(ExitCode::SUCCESS),
    }
}
