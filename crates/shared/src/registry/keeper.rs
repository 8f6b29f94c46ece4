//! Holding on to an operation while a step takes long.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::Registry;
use super::operations::Lease;

/// Renews a lease until dropped.
#[derive(Debug)]
pub struct LeaseKeeper {
    task: JoinHandle<()>,
}

impl LeaseKeeper {
    /// Renews `lease` from now on. When it is lost, or the registry stays away, renewing stops;
    /// the next guarded write finds out.
    pub fn start(registry: Registry, lease: Lease) -> Self {
        // A missed one or two leave the lease as it is.
        let pause = (lease.lasts / 3).to_std().unwrap_or(Duration::from_secs(1));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                if let Err(error) = registry.operation_renew(&lease).await {
                    tracing::warn!(operation.id = %lease.operation_id, %error, "could not renew a lease");
                    if matches!(error, super::Error::Conflict(_)) {
                        return;
                    }
                }
            }
        });
        Self { task }
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}
