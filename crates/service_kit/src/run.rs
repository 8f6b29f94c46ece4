//! Flows run on one multi-thread runtime, separate from the workers' runtimes, so that a caller who
//! disconnects cancels nothing.

use std::future::Future;

use contracts::ErrorCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::ApiError;
use context::deadline;
use context::{caller, request_id};

/// The runtime for flows, with the running ones; cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    handle: tokio::runtime::Handle,
    flows: TaskTracker,
    stopping: CancellationToken,
}

impl Runtime {
    /// The current runtime. `stopping` is canceled when the process shuts down.
    pub fn current(stopping: CancellationToken) -> Self {
        Self {
            handle: tokio::runtime::Handle::current(),
            flows: TaskTracker::new(),
            stopping,
        }
    }

    /// Runs a flow to completion, whether or not the caller waits for it.
    ///
    /// # Errors
    /// Returns the flow's error, or `internal` if it panicked.
    pub async fn run<T, E>(
        &self,
        flow: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Into<ApiError> + Send + 'static,
    {
        // Boxed before anything wraps it: a flow is large, each layer would copy it, and the
        // workers' stacks are small.
        let flow = Box::pin(flow);
        match self.spawn(deadline::scope(deadline::REQUEST, flow)).await {
            Ok(result) => result.map_err(Into::into),
            Err(error) => Err(ApiError::caused(ErrorCode::Internal, &error)),
        }
    }

    /// Starts a flow in the background, with the same caller, request id and span.
    pub fn spawn<T: Send + 'static>(
        &self,
        flow: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        let flow = caller::scope(caller::current(), flow).instrument(tracing::Span::current());
        match request_id::current() {
            Some(id) => self
                .flows
                .spawn_on(request_id::scope(id, flow), &self.handle),
            None => self.flows.spawn_on(flow, &self.handle),
        }
    }

    /// Canceled when the process shuts down.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits for running flows, for at most `patience`.
    pub async fn drain(&self, patience: std::time::Duration) {
        self.flows.close();
        if tokio::time::timeout(patience, self.flows.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                flows = self.flows.len(),
                "stopping with unfinished work; it will be resumed after the next start"
            );
        }
    }
}
