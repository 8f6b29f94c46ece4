//! The common `main` of all services: settings, logs, signals, and one message on failure.

use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use settings::Settings;
use shared::registry;
use shared::registry::Registry;

/// The error that a service exits with.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs a service as a separate process: reads the settings, starts logging, calls `serve`, and
/// stops it on SIGTERM or SIGINT.
pub async fn run<F>(service: &'static str, serve: F) -> ExitCode
where
    F: AsyncFnOnce(Settings, CancellationToken) -> Result<(), Failure>,
{
    local::install_tls_provider();
    match start(serve).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {}", context::error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn start<F>(serve: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(Settings, CancellationToken) -> Result<(), Failure>,
{
    local::open_files::raise()?;
    let settings = Settings::load()?;
    telemetry::init(&settings.log)?;
    let stopping = CancellationToken::new();
    let on_signal = stopping.clone();
    tokio::spawn(async move {
        match crate::server::stop_signal().await {
            Ok(()) => tracing::info!("stopping"),
            Err(error) => tracing::error!(%error, "cannot listen for signals"),
        }
        on_signal.cancel();
    });
    let served = serve(settings, stopping).await;
    telemetry::flush().await;
    served
}

/// Opens and migrates the registry. Waits a while for a database that is still starting.
///
/// # Errors
/// Returns an error if the database is unreachable or cannot be migrated.
pub async fn registry(settings: &Settings) -> Result<Registry, registry::Error> {
    let registry = Registry::connect(&settings.database, settings.pooler)?;
    migrated(registry.with_lease(settings.lease)).await
}

/// As [`registry()`], with the auth broker's own database credentials.
///
/// # Errors
/// Returns an error if the database is unreachable or cannot be migrated.
pub async fn broker_registry(settings: &Settings) -> Result<Registry, registry::Error> {
    migrated(Registry::connect(
        &settings.broker_database,
        settings.pooler,
    )?)
    .await
}

async fn migrated(registry: Registry) -> Result<Registry, registry::Error> {
    let mut patience = 20_u32;
    loop {
        match registry.migrate().await {
            Ok(applied) => {
                if applied > 0 {
                    tracing::info!(applied, "applied migrations");
                }
                return Ok(registry);
            }
            Err(error) if error.is_transient() && patience > 0 => {
                tracing::warn!(
                    error = %context::error_chain(&error),
                    "waiting for the database"
                );
                patience -= 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
}
