//! Runs a step: records the intent, applies the effect, records the result.

use crate::failpoint;
use crate::flow::Error;
use crate::steps::{Point, Step};
use context::caller::{self, CallerContext};
use context::error_chain;
use context::request_id;
use contracts::Role;
use service_kit::metrics;
use shared::registry::Registry;
use shared::registry::entities::operation;
use shared::registry::operations::Lease;
use shared::registry::status::StepStatus;

/// Result of a step's effect.
#[derive(Debug)]
pub struct StepOutput<T> {
    /// The value that later steps need.
    pub value: T,
    /// The id of the object that it created in Airbyte.
    pub reference: Option<String>,
}

impl<T> StepOutput<T> {
    /// Result of an effect that created no object with an id.
    pub fn new(value: T) -> Self {
        Self {
            value,
            reference: None,
        }
    }

    /// Result of an effect that created an object.
    pub fn with_reference(value: T, id: impl std::fmt::Display) -> Self {
        Self {
            value,
            reference: Some(id.to_string()),
        }
    }
}

/// An operation that this process holds.
#[derive(Debug, Clone, Copy)]
pub struct StepRunner<'a> {
    /// Where steps are recorded.
    pub registry: &'a Registry,
    /// Proof that this process holds the operation.
    pub lease: &'a Lease,
}

impl StepRunner<'_> {
    /// Runs a step. `intent` is recorded before `effect` runs, and suffices for another process to
    /// finish or roll back the step. A failure that may have taken effect leaves the step
    /// `intended`.
    ///
    /// # Errors
    /// Returns the step's error, or `Conflict::LeaseLost` if another process holds the operation
    /// now.
    pub async fn step<T>(
        &self,
        step: Step,
        intent: &str,
        effect: impl Future<Output = Result<StepOutput<T>, Error>>,
    ) -> Result<T, Error> {
        failpoint::hit(step, Point::Before).await;
        self.registry
            .step_intend(self.lease, step.name, intent)
            .await?;
        failpoint::hit(step, Point::Intended).await;
        match effect.await {
            Ok(acted) => {
                failpoint::hit(step, Point::Applied).await;
                let reference = acted.reference.as_deref();
                self.registry
                    .step_end(self.lease, step.name, StepStatus::Done, reference, None)
                    .await?;
                counted(step, "done");
                failpoint::hit(step, Point::After).await;
                Ok(acted.value)
            }
            Err(error) => {
                let ambiguous = error.is_ambiguous();
                counted(step, if ambiguous { "ambiguous" } else { "failed" });
                if !ambiguous {
                    let message = error_chain(&error);
                    self.registry
                        .step_end(
                            self.lease,
                            step.name,
                            StepStatus::Failed,
                            None,
                            Some(&message),
                        )
                        .await?;
                }
                Err(error)
            }
        }
    }

    /// Runs the last step: a write to the registry only, which also ends the operation, so that
    /// both happen or neither.
    ///
    /// # Errors
    /// Returns the error of the write.
    pub async fn commit<T>(
        &self,
        step: Step,
        write: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        failpoint::hit(step, Point::Before).await;
        self.registry.step_intend(self.lease, step.name, "").await?;
        failpoint::hit(step, Point::Intended).await;
        let value = write.await.inspect_err(|_| counted(step, "failed"))?;
        counted(step, "done");
        failpoint::hit(step, Point::Applied).await;
        failpoint::hit(step, Point::After).await;
        Ok(value)
    }
}

fn counted(step: Step, outcome: &'static str) {
    metrics::operation_step(step.kind.as_str(), step.name, outcome);
}

/// Runs `future` on behalf of the caller who started the operation, with their name and request id.
pub async fn on_behalf<F: Future>(row: &operation::Model, future: F) -> F::Output {
    let id = row
        .request_id
        .clone()
        .unwrap_or_else(|| request_id::accept(None));
    request_id::scope(id, caller::scope(caller_of(row), future)).await
}

/// AAM itself, on behalf of the caller who started the operation.
fn caller_of(row: &operation::Model) -> CallerContext {
    let mut caller = caller::current();
    if let Some(name) = &row.actor {
        caller.name.clone_from(name);
    }
    if let Some(role) = row.role.as_deref().and_then(Role::parse) {
        caller.role = role;
    }
    caller
}
