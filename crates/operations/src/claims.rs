//! Who works on an operation: waiting for the one that another caller started, and resuming those
//! that no process holds.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use context::error_chain;
use shared::registry::entities::operation;
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{OperationKind, OperationStatus};
use shared::registry::{self, Conflict, Registry};
use tokio::time::Instant;
use uuid::Uuid;

use crate::flow::Error;
use crate::on_behalf;

/// Interval between looks at an operation of another process.
const POLL: Duration = Duration::from_millis(50);
/// Delay before retrying an operation that could not be resumed.
const RETRY: TimeDelta = TimeDelta::seconds(2);

/// Begins an operation. While the connection has another open one, waits for at most `patience`.
///
/// # Errors
/// Returns `Conflict::OperationInProgress` if the other one is still open by then.
pub async fn begin_when_free(
    registry: &Registry,
    new: NewOperation<'_>,
    patience: Duration,
) -> Result<Lease, registry::Error> {
    let started = Instant::now();
    loop {
        match registry.operation_begin(new).await {
            Err(registry::Error::Conflict(Conflict::OperationInProgress))
                if started.elapsed() < patience =>
            {
                tokio::time::sleep(POLL).await;
            }
            begun => return begun,
        }
    }
}

/// Waits until the connection's open operation of that kind has ended, and returns it; none if
/// there is none, or it is still open after `patience`.
///
/// # Errors
/// Returns an error if the registry fails.
pub async fn wait_for_open(
    registry: &Registry,
    connection_id: Uuid,
    kind: OperationKind,
    patience: Duration,
) -> Result<Option<operation::Model>, registry::Error> {
    let Some(open) = registry.operation_open(connection_id, kind).await? else {
        return Ok(None);
    };
    let started = Instant::now();
    while started.elapsed() < patience {
        match registry.operation_get(open.id).await? {
            Some(now) if now.status == OperationStatus::Running => tokio::time::sleep(POLL).await,
            ended => return Ok(ended),
        }
    }
    Ok(None)
}

/// A service's table of the operations that it resumes.
#[async_trait]
pub trait Resume: Sync {
    /// The kinds of operations.
    const KINDS: &'static [OperationKind];

    /// Finishes an operation that another process left, or rolls it back.
    ///
    /// # Errors
    /// Returns an error if the operation stays open; it is then retried.
    async fn resume(&self, operation: &operation::Model, lease: &Lease) -> Result<(), Error>;
}

/// Resumes every operation of `service` that no process holds, on behalf of its caller. Each at
/// most once: one that cannot proceed must not block the others.
///
/// # Errors
/// Returns an error if the registry fails.
pub async fn resume_all<S: Resume>(
    service: &S,
    registry: &Registry,
    owner: &str,
) -> Result<(), registry::Error> {
    let mut seen = HashSet::new();
    while let Some((operation, lease)) = registry.operation_claim(S::KINDS, owner).await? {
        tracing::info!(
            operation.id = %operation.id,
            connection.id = %lease.connection_id,
            kind = operation.kind.as_str(),
            "resuming an operation"
        );
        let resumed = service.resume(&operation, &lease);
        if let Err(error) = on_behalf(&operation, resumed).await {
            tracing::warn!(
                operation.id = %operation.id,
                connection.id = %lease.connection_id,
                error = %error_chain(&error),
                "failed to resume operation; will retry"
            );
            match registry.operation_release(&lease, RETRY).await {
                // It has ended anyway, or another process holds it by now.
                Ok(()) | Err(registry::Error::Conflict(Conflict::LeaseLost)) => {}
                Err(error) => return Err(error),
            }
        }
        if !seen.insert(operation.id) {
            break;
        }
    }
    Ok(())
}
