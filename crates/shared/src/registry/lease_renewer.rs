//! Renews an operation's lease during a long step.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::Registry;
use super::operations::Lease;

/// Renews a lease until dropped.
#[derive(Debug)]
pub struct LeaseRenewer {
    task: JoinHandle<()>,
}

impl LeaseRenewer {
    /// Starts renewing `lease`. Renewal stops when the lease is lost or the registry stays
    /// unreachable; the next guarded write detects this.
    pub fn start(registry: Registry, lease: Lease) -> Self {
        // One or two missed renewals do not lose the lease.
        let pause = (lease.lasts / 3).to_std().unwrap_or(Duration::from_secs(1));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                if let Err(error) = registry.operation_renew(&lease).await {
                    tracing::warn!(
                        operation.id = %lease.operation_id,
                        %error,
                        "failed to renew a lease"
                    );
                    if matches!(error, super::Error::Conflict(_)) {
                        return;
                    }
                }
            }
        });
        Self { task }
    }
}

impl Drop for LeaseRenewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
