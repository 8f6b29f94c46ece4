//! A durable operation, and the executor that runs it under its lease.

use async_trait::async_trait;
use chrono::TimeDelta;
use context::error_chain;
use shared::registry::Registry;
use shared::registry::lease_renewer::LeaseRenewer;
use shared::registry::operations::{Ending, Lease};

use crate::StepRunner;
use crate::flow::Error;

/// What one operation does. The executor renews its lease, and ends it or leaves it open if it
/// fails; steps are recorded by the [`StepRunner`].
#[async_trait]
pub trait Operation: Send {
    /// The result for its caller.
    type Output: Send;

    /// Runs all steps, or those that a previous process left. The last one, or the code after it,
    /// also ends the operation.
    ///
    /// # Errors
    /// Returns the error of the first step that fails.
    async fn execute(&mut self, run: StepRunner<'_>) -> Result<Self::Output, Error>;

    /// What becomes of the operation after `error`.
    async fn on_error(&self, run: StepRunner<'_>, error: &Error) -> OnError;

    /// Rolls back what the steps did, and ends the operation as failed for `reason`. By default
    /// there is nothing to roll back.
    ///
    /// # Errors
    /// Returns an error if the rollback could not be completed; the operation stays open, and a
    /// worker continues the rollback.
    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        let ending = Ending::failed(reason);
        Ok(run.registry.operation_finish(run.lease, ending).await?)
    }
}

/// What becomes of an operation after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is rolled back and ends as failed.
    Compensate,
    /// It stays open: a worker resumes it after this time, or once its lease has expired.
    Resume(Option<TimeDelta>),
}

/// Why an operation did not succeed.
enum Unsuccessful {
    /// It has ended as failed.
    Failed(Error),
    /// A worker will resume it.
    Open(Error),
}

/// Runs an operation for a caller.
///
/// # Errors
/// Returns the operation's error. It may still be open: see [`Operation::on_error`].
pub async fn execute<O: Operation>(
    registry: &Registry,
    lease: &Lease,
    operation: &mut O,
) -> Result<O::Output, Error> {
    run(registry, lease, operation)
        .await
        .map_err(|(Unsuccessful::Failed(error) | Unsuccessful::Open(error))| error)
}

/// Runs an operation that another process left, until it has ended one way or the other.
///
/// # Errors
/// Returns the operation's error if it is still open.
pub async fn resume<O: Operation>(
    registry: &Registry,
    lease: &Lease,
    operation: &mut O,
) -> Result<(), Error> {
    match run(registry, lease, operation).await {
        Ok(_) | Err(Unsuccessful::Failed(_)) => Ok(()),
        Err(Unsuccessful::Open(error)) => Err(error),
    }
}

/// Rolls back an operation that another process left.
///
/// # Errors
/// Returns an error if the rollback could not be completed; the operation is still open.
pub async fn roll_back<O: Operation>(
    registry: &Registry,
    lease: &Lease,
    operation: &mut O,
    reason: &str,
) -> Result<(), Error> {
    let _renewer = LeaseRenewer::start(registry.clone(), lease.clone());
    operation
        .compensate(StepRunner { registry, lease }, reason)
        .await
}

async fn run<O: Operation>(
    registry: &Registry,
    lease: &Lease,
    operation: &mut O,
) -> Result<O::Output, Unsuccessful> {
    let runner = StepRunner { registry, lease };
    let renewer = LeaseRenewer::start(registry.clone(), lease.clone());
    let error = match operation.execute(runner).await {
        Ok(output) => return Ok(output),
        Err(error) => error,
    };
    let reason = error_chain(&error);
    match operation.on_error(runner, &error).await {
        OnError::Compensate => {
            tracing::warn!(
                operation.id = %lease.operation_id,
                connection.id = %lease.connection_id,
                error = %reason,
                "operation failed; rolling back"
            );
            match operation.compensate(runner, &reason).await {
                Ok(()) => Err(Unsuccessful::Failed(error)),
                Err(rollback_error) => {
                    // The lease expires, and the worker continues the rollback.
                    tracing::warn!(
                        operation.id = %lease.operation_id,
                        connection.id = %lease.connection_id,
                        error = %error_chain(&rollback_error),
                        "rollback left to the worker"
                    );
                    Err(Unsuccessful::Open(error))
                }
            }
        }
        OnError::Resume(after) => {
            tracing::warn!(
                operation.id = %lease.operation_id,
                connection.id = %lease.connection_id,
                error = %reason,
                "operation interrupted; the worker will resume it"
            );
            // A renewal after the release would delay the resumption.
            drop(renewer);
            if let Some(after) = after
                && let Err(error) = registry.operation_release(lease, after).await
            {
                // If that fails too, the lease expires.
                tracing::debug!(
                    operation.id = %lease.operation_id,
                    %error,
                    "failed to release an operation"
                );
            }
            Err(Unsuccessful::Open(error))
        }
    }
}
