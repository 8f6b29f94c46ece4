//! Where flows run: one multi-thread runtime, not the workers' own. A caller that hangs up cancels
//! nothing.

use std::future::Future;

use contracts::ErrorCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::outgoing::budget;
use super::{ApiError, actor, request_id};

/// The runtime flows run on, and those that run; cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    handle: tokio::runtime::Handle,
    flows: TaskTracker,
    stopping: CancellationToken,
}

impl Runtime {
    /// The runtime this is called from. `stopping` is cancelled when the process is to stop.
    pub fn current(stopping: CancellationToken) -> Self {
        Self {
            handle: tokio::runtime::Handle::current(),
            flows: TaskTracker::new(),
            stopping,
        }
    }

    /// Runs a flow to its end, whether or not the caller waits for it.
    ///
    /// # Errors
    /// The flow's own, or `internal` when it panicked.
    pub async fn run<T, E>(
        &self,
        flow: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Into<ApiError> + Send + 'static,
    {
        // On the heap before anything is put around it: a flow is large, each layer would copy it,
        // and the stacks of workers are small.
        let flow = Box::pin(flow);
        match self.spawn(budget::scope(budget::REQUEST, flow)).await {
            Ok(result) => result.map_err(Into::into),
            Err(error) => Err(ApiError::caused(ErrorCode::Internal, &error)),
        }
    }

    /// Starts a flow that goes on by itself, for the same actor, under the same request id and span.
    pub fn spawn<T: Send + 'static>(
        &self,
        flow: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        let flow = actor::scope(actor::current(), flow).instrument(tracing::Span::current());
        match request_id::current() {
            Some(id) => self
                .flows
                .spawn_on(request_id::scope(id, flow), &self.handle),
            None => self.flows.spawn_on(flow, &self.handle),
        }
    }

    /// Cancelled when the process is to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits for the flows that run, at most `patience`.
    pub async fn drain(&self, patience: std::time::Duration) {
        self.flows.close();
        if tokio::time::timeout(patience, self.flows.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                flows = self.flows.len(),
                "stopping although work is under way; it is taken up again after the next start"
            );
        }
    }
}
