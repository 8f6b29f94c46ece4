//! `GET /health` and `GET /ready`.

use std::future::Future;
use std::time::{Duration, Instant};

use chrono::{SubsecRound as _, Utc};
use contracts::{Circuit, DependencyState, Health, HealthStatus};

use local::disk;
use settings::DatabaseTarget;

const PATIENCE: Duration = Duration::from_secs(3);

/// Reports that the process is alive. Checks no dependency.
pub fn health(service: &str) -> Health {
    Health {
        service: service.to_owned(),
        status: HealthStatus::Healthy,
        timestamp: Utc::now().trunc_subsecs(6),
    }
}

/// As [`probe`], for a dependency that is called through a circuit breaker.
pub async fn probe_called<E: std::error::Error>(
    name: &str,
    required: bool,
    ask: impl Future<Output = Result<(), E>>,
    circuit: impl FnOnce() -> Circuit,
) -> DependencyState {
    let state = probe(name, required, ask).await;
    DependencyState {
        circuit: Some(circuit()),
        ..state
    }
}

/// Checks whether a dependency responds, within 3 s.
pub async fn probe<E: std::error::Error>(
    name: &str,
    required: bool,
    ask: impl Future<Output = Result<(), E>>,
) -> DependencyState {
    let started = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, ask).await;
    let latency_ms = (started.elapsed().as_secs_f64() * 1_000_000.0).round() / 1000.0;
    let error = match answer {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(context::error_chain(&error)),
        Err(_) => Some(format!("no response within {} s", PATIENCE.as_secs())),
    };
    DependencyState {
        name: name.to_owned(),
        ready: error.is_none(),
        required,
        latency_ms,
        circuit: None,
        error,
    }
}

/// Checks the disk of a registry that is a file; returns none for a database server.
pub async fn probe_disk(database: &DatabaseTarget) -> Option<DependencyState> {
    let DatabaseTarget::Sqlite { path } = database else {
        return None;
    };
    let folder = path.parent().unwrap_or(path).to_owned();
    let ask = async move { disk::check_free_space(&folder) };
    Some(probe("disk", true, ask).await)
}
